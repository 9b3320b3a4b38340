import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, describe, expect, test } from "vitest";
import { bestTokens } from "../../../src/kernels/bestTokens.ts";
import type { Activation } from "../../../src/kernels/elementwise.ts";
import "../../../src/kernels/backends.ts";
import { feedForward } from "../../../src/kernels/feedForward.ts";
import { type LinearExtras, linear } from "../../../src/kernels/linear.ts";
import { tokenLogProbs } from "../../../src/kernels/tokenLogProbs.ts";
import { probeBackends, useBackend } from "../../../src/tensor/backend.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "webgpu")!;

/** A matrix of seeded normals, as plain numbers. */
interface Numbers {
  readonly values: Float32Array;
  readonly shape: number[];
}

const normal = (seed: number, deviation: number, ...shape: number[]): Numbers => ({
  values: tf.tidy(() => tf.randomNormal(shape, 0, deviation, "float32", seed).dataSync() as Float32Array),
  shape,
});
const upload = ({ values, shape }: Numbers): tf.Tensor => tf.tensor(values, shape);

const erf = (x: number): number => {
  let [term, sum] = [x, x]; // a power series for small x, a continued fraction for large
  if (Math.abs(x) > 3) {
    let fraction = 0;
    for (let k = 60; k > 0; k--) fraction = k / 2 / (Math.abs(x) + fraction);
    return Math.sign(x) * (1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (Math.abs(x) + fraction));
  }
  for (let n = 1; n < 100; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
};

const ACTIVATIONS: Readonly<Record<Activation, (x: number) => number>> = {
  relu: (x) => Math.max(x, 0),
  gelu: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  gelu_new: (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: (x) => x / (1 + Math.exp(-x)),
};

/** x wᵀ + bias in double precision. */
function multiply(x: Numbers, w: Numbers, bias?: Numbers): Float64Array {
  const [rows, inner] = x.shape as [number, number];
  const columns = w.shape[0]!;
  const y = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      let sum = bias?.values[column] ?? 0;
      for (let k = 0; k < inner; k++) sum += x.values[row * inner + k]! * w.values[column * inner + k]!;
      y[row * columns + column] = sum;
    }
  return y;
}

/** What `make` gives on webgpu of these matrices, which are freed with it. */
async function run(make: (...inputs: tf.Tensor[]) => tf.Tensor, ...inputs: Numbers[]): Promise<Float32Array> {
  const tensors = inputs.map(upload);
  const y = make(...tensors);
  const values = await y.data<"float32">();
  tf.dispose([...tensors, y]);
  return values;
}

function expectNear(found: Float32Array, wanted: ArrayLike<number>): void {
  expect(found.length).toBe(wanted.length);
  let worst = 0;
  for (let i = 0; i < found.length; i++)
    worst = Math.max(worst, Math.abs(found[i]! - wanted[i]!) / Math.max(1, Math.abs(wanted[i]!)) || 0);
  expect(found.every(Number.isFinite)).toBe(true);
  expect(worst).toBeLessThan(1e-5);
}

const ROWS = [1, 3, 17, 64, 130];
const INNER = [5, 64, 100, 257];
const OUT = [1, 8, 64, 129, 300];

/** What may follow a product. */
const ENDINGS: readonly { readonly biased?: true; readonly added?: true; readonly activation?: Activation }[] = [
  { biased: true },
  { biased: true, activation: "relu" },
  { biased: true, activation: "gelu" },
  { added: true },
  { activation: "silu" },
  { biased: true, activation: "gelu_new" },
];

async function checkLinear(rows: number, inner: number, out: number, ending: (typeof ENDINGS)[number]): Promise<void> {
  const [x, w, bias, residual] = [
    normal(1, 1, rows, inner),
    normal(2, inner ** -0.5, out, inner),
    normal(3, 1, out),
    normal(4, 1, rows, out),
  ];
  const { biased, added, activation } = ending;
  const wanted = multiply(x, w, biased && bias).map((v, i) =>
    activation ? ACTIVATIONS[activation](v) : v + (added ? residual.values[i]! : 0),
  );
  const found = await run(
    (x, w, bias, residual) =>
      linear(x!, w!, { ...(biased && { bias }), ...(added && { residual }), activation } as LinearExtras),
    ...[x, w, bias, residual],
  );
  expectNear(found, wanted);
}

describe.skipIf(!available)(`products on webgpu${available ? ` on ${detail}` : ` (skipped: ${detail})`}`, () => {
  beforeEach(async () => void (await useBackend("webgpu")));

  test.each(ROWS)("of %i rows of any width are double precision's", async (rows) => {
    for (const inner of INNER)
      for (const out of OUT) await checkLinear(rows, inner, out, out % 2 ? { biased: true, added: true } : {});
  });

  test.each([3, 17])("of %i rows are double precision's with whatever follows", async (rows) => {
    for (const ending of ENDINGS) await checkLinear(rows, 64, 8, ending);
  });

  test.each([
    [130, 20, 1500],
    [130, 33, 1501],
  ])("of [%i, %i] in many tiles by %i are double precision's", async (rows, inner, out) => {
    for (const ending of [{ biased: true, added: true }, { activation: "relu" }] as const)
      await checkLinear(rows, inner, out, ending);
  });

  test.each([3, 65])("of a feed-forward part of %i rows are double precision's", async (rows) => {
    for (const activation of ["relu", "gelu"] as const) {
      const [x, up, upBias] = [normal(1, 1, rows, 32), normal(2, 0.2, 100, 32), normal(3, 1, 100)];
      const [down, downBias, residual] = [normal(4, 0.1, 36, 100), normal(5, 1, 36), normal(6, 1, rows, 36)];
      const middle = Float32Array.from(multiply(x, up, upBias), ACTIVATIONS[activation]);
      const wanted = multiply({ values: middle, shape: [rows, 100] }, down, downBias);
      const found = await run(
        (x, up, upBias, down, downBias, residual) =>
          feedForward(x!, { up: up!, upBias: upBias!, down: down!, downBias: downBias! }, activation, residual!),
        ...[x, up, upBias, down, downBias, residual],
      );
      expectNear(
        found,
        wanted.map((v, i) => v + residual.values[i]!),
      );
    }
  });

  describe.each([10, 1000, 5000])("of a vocabulary of %i", (vocabulary) => {
    test.each(ROWS)("of %i rows give log-probabilities and the likeliest tokens", async (rows) => {
      const inner = rows === 17 ? 37 : 64;
      const [x, table, bias] = [normal(1, 1, rows, inner), normal(2, 0.3, vocabulary, inner), normal(3, 1, vocabulary)];
      const ids = Int32Array.from({ length: rows }, (_, i) => (i * 7919 + vocabulary - 1) % vocabulary);
      for (const given of [undefined, bias]) {
        const logits = multiply(x, table, given);
        const wanted = Array.from(ids, (id, row) => {
          const own = logits.subarray(row * vocabulary, (row + 1) * vocabulary);
          const top = own.reduce((a, b) => Math.max(a, b));
          const sum = own.reduce((all, v) => all + Math.exp(v - top), 0);
          return { logProb: own[id]! - top - Math.log(sum), best: own.indexOf(top) };
        });
        const found = await run(
          (x, table, bias) => {
            const of = tf.tensor1d(ids, "int32");
            const y = tokenLogProbs(x!, table!, of, given && bias);
            of.dispose();
            return y;
          },
          ...[x, table, bias],
        );
        expectNear(
          found,
          wanted.map(({ logProb }) => logProb),
        );
        const best = await run((x, table, bias) => bestTokens(x!, table!, given && bias), x, table, bias);
        expect([...best]).toEqual(wanted.map(({ best }) => best));
      }
    });
  });

  test("take the first of equal logits, in whichever tile they are", async () => {
    const ones = (...shape: number[]): Numbers => ({ values: new Float32Array(shape[0]! * shape[1]!).fill(1), shape });
    const best = await run((x, table) => bestTokens(x!, table!), ones(3, 8), ones(5000, 8));
    expect([...best]).toEqual([0, 0, 0]);
  });

  test("of what is no number are none", async () => {
    const [x, table] = [normal(1, 1, 2, 8), normal(2, 1, 300, 8)];
    x.values[3] = Number.NaN;
    const found = await run(
      (x, table) => tf.tidy(() => tokenLogProbs(x!, table!, tf.tensor1d([5, 6], "int32"))),
      x,
      table,
    );
    expect(found[0]).toBeNaN();
    expect(found[1]).toBeLessThan(0);
  });

  test("have the same bits when they are made again, and leave nothing behind", async () => {
    const [x, w] = [normal(1, 1, 130, 100), normal(2, 0.1, 1500, 100)].map(upload) as [tf.Tensor, tf.Tensor];
    const [up, down] = [normal(3, 0.1, 60, 100), normal(4, 0.1, 100, 60)].map(upload) as [tf.Tensor, tf.Tensor];
    const [upBias, downBias] = [60, 100].map((size) => tf.zeros([size])) as [tf.Tensor, tf.Tensor];
    const ids = tf.range(0, 130, 1, "int32");
    const all = async (): Promise<Float32Array[]> => {
      const made = [
        linear(x, w, { activation: "relu" }),
        feedForward(x, { up, upBias, down, downBias }, "relu", x),
        tokenLogProbs(x, w, ids),
        bestTokens(x, w),
      ];
      const values = await Promise.all(made.map((tensor) => tensor.data<"float32">()));
      tf.dispose(made);
      return values;
    };
    const before = await all();
    const { numTensors, numDataBuffers } = tf.memory();
    expect(await all()).toEqual(before);
    expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers });
    tf.dispose([x, w, up, down, upBias, downBias, ids]);
  });
});
