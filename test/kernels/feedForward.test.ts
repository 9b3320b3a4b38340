import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { type FeedForwardWeights, feedForward } from "../../src/kernels/feedForward.ts";
import { linear } from "../../src/kernels/linear.ts";
import "../../src/kernels/backends.ts";
import { storage } from "../../src/tensor/backend.ts";
import { poolBytes } from "../../src/tensor/native/pool.ts";
import { profileGraphs } from "../../src/tensor/native/session.ts";
import { pairwise } from "../../src/tensor/pair.ts";
import { gaussian, rademacher } from "../../src/tensor/parameter.ts";
import { BACKEND, HALVES, skipped } from "../backend.ts";
import { allValues, setValues, takeValues, valuesOf } from "../values.ts";

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

const values = async (run: () => tf.Tensor): Promise<Float32Array> => Float32Array.from(await takeValues(tf.tidy(run)));
const farthest = (a: Float32Array, b: Float32Array): number => Math.max(...a.map((v, i) => Math.abs(v - b[i]!)));

describe("feedForward", () => {
  test.each([
    ["all columns at once where there are few rows", 100, 1],
    ["tiles of columns and blocks of rows where there are many", ROWS, 4],
  ])("gives what two linear maps give, with %s", async (_what, rows, products) => {
    const [x, weights] = [normal(5, rows, WIDTH), weightsOf(WIDE)];
    const runs: string[] = [];
    let tiled: Float32Array = new Float32Array();
    await profileGraphs(
      ({ name }) => runs.push(name.split(" ")[0]!),
      async () => {
        tiled = await values(() => feedForward(x, weights, "relu", x));
      },
    );
    const graphs = runs.filter((name) => name === "feedForwardUp").length;
    if (BACKEND === "native") expect(graphs).toBe(products); // elsewhere no graph of ONNX Runtime runs
    expect(farthest(tiled, await values(() => composed(x, weights)))).toBeLessThan(1e-5);
    tf.dispose([x, ...Object.values(weights)]);
  });

  test.skipIf(!HALVES.here)(`reads weights of 16 bits as what they stand for${skipped(HALVES)}`, async () => {
    const [x, weights] = [normal(5, ROWS, WIDTH), weightsOf(WIDE)];
    const halves: Record<string, tf.Tensor> = {};
    for (const [name, weight] of Object.entries(weights)) {
      if (weight.rank < 2 && BACKEND !== "native") continue; // models keep vectors in float32
      const drawn = await valuesOf(weight);
      halves[name] = storage().weight(
        weight.shape,
        (into, from) => into.set(drawn.subarray(from, from + into.length)),
        {
          format: "float16",
          rounding: "nearest",
        },
      );
      setValues(weight, await valuesOf(halves[name]));
    }
    const kept = { ...weights, ...halves };
    const [found, wanted] = [
      await values(() => feedForward(x, kept, "relu", x)),
      await values(() => feedForward(x, weights, "relu", x)),
    ];
    expect(found).toEqual(wanted);
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
        const kept = await allValues(theta.map(({ value }) => value));
        noise(theta, scale, z);
        expect(both[side]).toEqual(await values(() => feedForward(x, weights, "relu", x)));
        theta.forEach(({ value }, i) => setValues(value, kept[i]!));
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
    const kept = await valuesOf(before);
    for (const [side, scale] of [["plus", 0.05] as const, ["minus", -0.05] as const]) {
      gaussian(theta, scale, z);
      expect(both[side]).toEqual(await values(run));
      setValues(before, kept);
    }
    expect(both.minus).not.toEqual(both.plus);
    tf.dispose([x, before, ...Object.values(weights)]);
  });
});
