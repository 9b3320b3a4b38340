import * as tf from "@tensorflow/tfjs-core";
import { afterEach, describe, expect, test } from "vitest";
import { deferSweeps } from "../../src/tensor/deferred.ts";
import { rightDraw } from "../../src/tensor/factors.ts";
import { type Draw, gaussian, type Parameter } from "../../src/tensor/parameter.ts";
import { lozo, lozoMomentum } from "../../src/tuners/lozo.ts";
import type { Objective, Resident } from "../../src/tuners/tuner.ts";
import { allValues } from "../values.ts";
import { zOf } from "./weights.ts";

const [ROWS, COLUMNS, BIAS] = [5, 7, 3];
let theta: Parameter[] = [];

afterEach(() => tf.dispose(theta.map(({ value }) => value)));

function begin(): Parameter[] {
  tf.dispose(theta.map(({ value }) => value));
  theta = [
    {
      name: "w",
      value: tf.tensor2d(
        Array.from({ length: ROWS * COLUMNS }, (_, i) => Math.sin(i)),
        [ROWS, COLUMNS],
      ),
    },
    { name: "b.bias", value: tf.tensor1d([0.5, -1, 2]) },
  ];
  return theta;
}

const read = async (): Promise<number[]> => (await allValues(theta.map(({ value }) => value))).flatMap((x) => [...x]);

/** A loss that is linear in theta: its estimate along z is gradient · z whatever eps is. */
const GRADIENT = Array.from({ length: ROWS * COLUMNS + BIAS }, (_, i) => Math.cos(3 * i));
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
const linearLoss: Objective = { value: async () => dot(await read(), GRADIENT) };

/** Standard normals under a weight's name. */
async function normals(name: string, size: number, draw: Draw): Promise<number[]> {
  const value = tf.zeros([size]);
  const z = await zOf([{ name, value }], gaussian, draw);
  value.dispose();
  return z;
}

/** U [rank, rows], V [rank, columns] and the bias's z, with V that of the interval's first step. */
async function draws(step: number, rank: number, interval: number) {
  const from = Math.floor(step / interval) * interval;
  return {
    u: await normals("w", rank * ROWS, { seed: 4, step }),
    v: await normals("w", rank * COLUMNS, { seed: 4, step: from, index: 2 ** 31 }),
    z: await normals("b.bias", BIAS, { seed: 4, step }),
  };
}

/** left Vᵀ as a dense matrix, formed element by element. */
const dense = (left: readonly number[], v: readonly number[], rank: number): number[] =>
  Array.from({ length: ROWS * COLUMNS }, (_, at) => {
    const [i, j] = [Math.floor(at / COLUMNS), at % COLUMNS];
    return Array.from({ length: rank }, (_, k) => left[k * ROWS + i]! * v[k * COLUMNS + j]!).reduce((a, b) => a + b, 0);
  });

async function trainFor(tuner: ReturnType<typeof lozo>, steps: number): Promise<number[]> {
  const grads: number[] = [];
  const training = tuner.begin(begin());
  for (let step = 0; step < steps; step++)
    grads.push((await training.step(linearLoss, { seed: 4, step, total: steps })).projectedGrad as number);
  training.dispose();
  return grads;
}

const close = (a: readonly number[], b: readonly number[], within: number): void =>
  a.forEach((value, i) => {
    expect(Math.abs(value - b[i]!)).toBeLessThan(within);
  });

describe.each([1, 2, 5])("rank %i", (rank) => {
  test("LOZO is theta − lr g U Vᵀ / r with g along U Vᵀ, V anew after each interval, and plain z for a bias", async () => {
    begin();
    let expected = await read();
    const grads: number[] = [];
    for (let step = 0; step < 7; step++) {
      const { u, v, z } = await draws(step, rank, 3);
      const w = dense(u, v, rank);
      const g = dot([...w, ...z], GRADIENT);
      grads.push(g);
      const way = [...w.map((x) => x / rank), ...z];
      expected = expected.map((x, i) => x - 0.01 * (g * way[i]! + 0.1 * (i < ROWS * COLUMNS ? x : 0)));
    }
    const found = await trainFor(lozo({ lr: 0.01, eps: 1e-2, rank, interval: 3, weightDecay: 0.1 }), 7);
    close(found, grads, 0.02);
    close(await read(), expected, 5e-4);
  });

  test("LOZO-M moves along N Vᵀ / r, N being turned by V_oldᵀ V_new / n when V changes", async () => {
    const beta = 0.6;
    begin();
    let expected = await read();
    let [n, m] = [new Array<number>(rank * ROWS).fill(0), [0, 0, 0]];
    let old: number[] | undefined;
    for (let step = 0; step < 7; step++) {
      const { u, v, z } = await draws(step, rank, 3);
      if (old && step % 3 === 0) {
        const [before, last] = [n, old];
        n = n.map((_, at) => {
          const [k, row] = [Math.floor(at / ROWS), at % ROWS];
          let sum = 0;
          for (let j = 0; j < rank; j++)
            for (let c = 0; c < COLUMNS; c++)
              sum += (before[j * ROWS + row]! * last[j * COLUMNS + c]! * v[k * COLUMNS + c]!) / COLUMNS;
          return sum;
        });
      }
      const g = dot([...dense(u, v, rank), ...z], GRADIENT);
      n = n.map((x, i) => beta * x + (1 - beta) * g * u[i]!);
      m = m.map((x, i) => beta * x + (1 - beta) * g * z[i]!);
      const way = [...dense(n, v, rank).map((x) => x / rank), ...m];
      expected = expected.map((x, i) => x - 0.01 * way[i]!);
      old = v;
    }
    await trainFor(lozoMomentum({ lr: 0.01, eps: 1e-2, rank, interval: 3, beta }), 7);
    close(await read(), expected, 5e-4);
  });
});

test.each([
  ["LOZO", lozo],
  ["LOZO-momentum", lozoMomentum],
] as const)("%s gives the same bits where its sweeps are put off, as replay does", async (_name, make) => {
  const tuner = make({ lr: 0.01, eps: 1e-2, interval: 3, weightDecay: 0.1 });
  const pair = (): { lossPlus: number; lossMinus: number } => ({ lossPlus: 1, lossMinus: 0.9 });
  const run = async (training: ReturnType<typeof tuner.begin>): Promise<void> => {
    for (let step = 0; step < 40; step++) await training.step({ ...linearLoss, pair }, { seed: 4, step, total: 40 });
    training.dispose();
  };
  await run(tuner.begin(begin()));
  const direct = await read();
  const { through, during } = deferSweeps();
  await during(() => run(tuner.begin(begin(), through)));
  expect(await read()).toEqual(direct);
});

test("V belongs to the interval, not to the step, and is not U", async () => {
  expect([0, 49, 50, 120].map((step) => rightDraw({ seed: 1, step }, 50).step)).toEqual([0, 0, 50, 100]);
  const { u, v } = await draws(3, 1, 3);
  expect(u.slice(0, 3)).not.toEqual(v.slice(0, 3));
});

test("the momentum is r numbers for each row of a matrix, and all of a bias", () => {
  const { resident } = lozoMomentum({ lr: 1, rank: 2 });
  const share = (2 * ROWS + BIAS) / (ROWS * COLUMNS + BIAS);
  expect((resident as (of: readonly Parameter[]) => Resident)(begin())).toEqual({ gradients: 0, optimizer: share });
  expect(lozo({ lr: 1 }).resident).toBeUndefined();
});

test("an option out of range is refused in a sentence", () => {
  expect(() => lozo({ lr: 1, rank: 0 })).toThrow("LOZO needs a whole number from 1 on as rank, not 0.");
  expect(() => lozoMomentum({ lr: 1, beta: 1 })).toThrow("LOZO-momentum needs a beta from 0 on and below 1, not 1.");
});

test("weights in 16 bits are refused by name, with theta untouched", () => {
  const halves = begin().map((weight) => ({ ...weight, bytes: 2 as const }));
  expect(() => lozo({ lr: 1 }).begin(halves)).toThrow("LOZO was to move weights that are kept in 16 bits (w)");
});
