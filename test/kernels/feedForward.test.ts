import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { type FeedForwardWeights, feedForward } from "../../src/kernels/feedForward.ts";
import { linear } from "../../src/kernels/linear.ts";
import { narrow, widenAll } from "../../src/tensor/halves.ts";
import { halfTensor, viewTensor } from "../../src/tensor/native/backend.ts";
import { poolBytes } from "../../src/tensor/native/pool.ts";
import { profileGraphs } from "../../src/tensor/native/session.ts";
import { pairwise } from "../../src/tensor/pair.ts";
import { gaussian, rademacher } from "../../src/tensor/parameter.ts";

const normal = (seed: number, ...shape: number[]): tf.Tensor => tf.randomNormal(shape, 0, 0.1, "float32", seed);

/** Enough rows and columns for tiles of both, the last ones smaller. */
const [ROWS, WIDTH, WIDE] = [1100, 16, 1000];

const weightsOf = (wide: number): FeedForwardWeights => ({
  up: normal(1, wide, WIDTH),
  upBias: normal(2, wide),
  down: normal(3, WIDTH, wide),
  downBias: normal(4, WIDTH),
});

const composed = (x: tf.Tensor, { up, upBias, down, downBias }: FeedForwardWeights): tf.Tensor =>
  linear(linear(x, up, { bias: upBias, activation: "relu" }), down, { bias: downBias, residual: x });

const values = (run: () => tf.Tensor): Float32Array =>
  tf.tidy(() => run().dataSync().slice()) as unknown as Float32Array;
const farthest = (a: Float32Array, b: Float32Array): number => Math.max(...a.map((v, i) => Math.abs(v - b[i]!)));

describe("feedForward", () => {
  test.each([
    ["all columns at once where there are few rows", 100, 1],
    ["tiles of columns and blocks of rows where there are many", ROWS, 4],
  ])("gives what two linear maps give, with %s", async (_what, rows, products) => {
    const [x, weights] = [normal(5, rows, WIDTH), weightsOf(WIDE)];
    const runs: string[] = [];
    let tiled = new Float32Array();
    await profileGraphs(
      ({ name }) => runs.push(name.split(" ")[0]!),
      async () => {
        tiled = values(() => feedForward(x, weights, "relu", x)) as Float32Array<ArrayBuffer>;
      },
    );
    expect(runs.filter((name) => name === "feedForwardUp").length).toBe(products);
    expect(
      farthest(
        tiled,
        values(() => composed(x, weights)),
      ),
    ).toBeLessThan(1e-5);
    tf.dispose([x, ...Object.values(weights)]);
  });

  test("reads weights of 16 bits as what they stand for", () => {
    const [x, weights] = [normal(5, ROWS, WIDTH), weightsOf(WIDE)];
    const halves = Object.fromEntries(
      Object.entries(weights).map(([name, weight]) => {
        const bits = { bits: new Uint16Array(weight.size), format: "float16", rounding: "nearest" } as const;
        narrow(viewTensor(weight).values as Float32Array, bits, 0);
        (viewTensor(weight).values as Float32Array).set(widenAll(bits));
        return [name, halfTensor(weight.shape, bits)];
      }),
    ) as unknown as FeedForwardWeights;
    expect(values(() => feedForward(x, halves, "relu", x))).toEqual(values(() => feedForward(x, weights, "relu", x)));
    tf.dispose([x, ...Object.values(weights), ...Object.values(halves)]);
  });

  test.each([
    ["all weights", ["up", "upBias", "down", "downBias"]],
    ["up alone", ["up"]],
    ["down and a bias", ["down", "upBias"]],
  ] as const)("gives both sides of %s in tiles, to the bit what moved weights give", async (_what, names) => {
    const [x, weights] = [normal(5, ROWS, WIDTH), weightsOf(WIDE)];
    const theta = names.map((name) => ({ name, value: weights[name] }));
    for (const [law, noise] of [["gaussian", gaussian] as const, ["rademacher", rademacher] as const]) {
      const z = { seed: 3, step: 2 };
      const [before, inUse] = [tf.memory().numTensors, poolBytes().inUse];
      const both = await pairwise(theta, { law, eps: 0.05, z }, (sides) => {
        const y = feedForward(x, weights, "relu", x);
        const found = sides(y);
        y.dispose();
        return found;
      });
      expect([tf.memory().numTensors, poolBytes().inUse]).toEqual([before, inUse]);
      for (const [side, scale] of [["plus", 0.05] as const, ["minus", -0.05] as const]) {
        const kept = theta.map(({ value }) => value.dataSync().slice());
        noise(theta, scale, z);
        expect(both[side]).toEqual(values(() => feedForward(x, weights, "relu", x)));
        theta.forEach(({ value }, i) => (viewTensor(value).values as Float32Array).set(kept[i] as Float32Array));
      }
    }
    tf.dispose([x, ...Object.values(weights)]);
  });

  test("shares weights that are not moved between both sides of its input", async () => {
    const [x, before, weights] = [normal(5, ROWS, WIDTH), normal(6, WIDTH, WIDTH), weightsOf(WIDE)];
    const run = (): tf.Tensor => tf.tidy(() => feedForward(linear(x, before), weights, "relu", x));
    const [theta, z] = [[{ name: "before", value: before }], { seed: 3, step: 2 }];
    const both = await pairwise(theta, { law: "gaussian", eps: 0.05, z }, (sides) => {
      const y = run();
      const found = sides(y);
      y.dispose();
      return found;
    });
    const kept = before.dataSync().slice();
    for (const [side, scale] of [["plus", 0.05] as const, ["minus", -0.05] as const]) {
      gaussian(theta, scale, z);
      expect(both[side]).toEqual(values(run));
      (viewTensor(before).values as Float32Array).set(kept as Float32Array);
    }
    expect(both.minus).not.toEqual(both.plus);
    tf.dispose([x, before, ...Object.values(weights)]);
  });
});
