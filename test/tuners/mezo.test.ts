import * as tf from "@tensorflow/tfjs";
import { afterEach, describe, expect, test } from "vitest";
import { viewOf } from "../../src/tensor/native/backend.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { gaussian, type Perturb, rademacher } from "../../src/tensor/perturb.ts";
import { mezo } from "../../src/tuners/mezo.ts";

const made: tf.Tensor[] = [];

/** Weights by name, and their values where they are. */
function parameters(shapes: Readonly<Record<string, number>>): Parameter[] {
  return Object.entries(shapes).map(([name, size], i) => {
    const value = tf.randomNormal([size], 0, 1, "float32", i + 1);
    made.push(value);
    return { name, value };
  });
}

const valuesOf = (theta: readonly Parameter[]): number[] => theta.flatMap(({ value }) => [...viewOf(value).values]);
const quadratic = (theta: readonly Parameter[]) => (): number =>
  valuesOf(theta).reduce((sum, v) => sum + (v * v) / 2, 0);
const at = (step: number) => ({ seed: 3, step, total: 100 });

afterEach(() => {
  tf.dispose(made.splice(0));
});

describe.each([
  ["gaussian", gaussian],
  ["rademacher", rademacher],
])("MeZO (Algorithm 1) with %s noise", (_name, noise: Perturb) => {
  test("lowers a quadratic", async () => {
    const theta = parameters({ a: 40, b: 7 });
    const objective = quadratic(theta);
    const before = objective();
    const tuner = mezo({ lr: 0.01, noise });
    for (let step = 0; step < 200; step++) await tuner.step(theta, objective, at(step));
    expect(objective()).toBeLessThan(before / 5);
  });

  test("gives the same weights for the same seed and others for another", async () => {
    const tuned = async (seed: number): Promise<number[]> => {
      const theta = parameters({ a: 40, b: 7 });
      const tuner = mezo({ lr: 0.01, noise });
      for (let step = 0; step < 3; step++) await tuner.step(theta, quadratic(theta), { seed, step, total: 3 });
      return valuesOf(theta);
    };
    const first = await tuned(1);
    expect(await tuned(1)).toEqual(first);
    expect(await tuned(2)).not.toEqual(first);
  });

  test("leaves theta where it was at lr 0, but for rounding", async () => {
    const theta = parameters({ a: 40, b: 7 });
    const before = valuesOf(theta);
    await mezo({ lr: 0, noise }).step(theta, quadratic(theta), at(0));
    valuesOf(theta).forEach((v, i) => expect(v).toBeCloseTo(before[i]!, 6));
  });

  test("measures the directional derivative along its own z", async () => {
    const theta = parameters({ a: 40, b: 7 });
    const before = valuesOf(theta);
    const { projectedGrad } = await mezo({ lr: 0, noise }).step(theta, quadratic(theta), at(5));
    const zeros = theta.map(({ name, value }) => ({ name, value: tf.zerosLike(value) }));
    made.push(...zeros.map(({ value }) => value));
    noise(zeros, 1, { seed: 3, step: 5 });
    const expected = valuesOf(zeros).reduce((sum, z, i) => sum + z * before[i]!, 0);
    expect(projectedGrad / expected).toBeCloseTo(1, 3);
  });
});

describe("MeZO (Algorithm 1)", () => {
  test("sweeps over the weights three times a step and keeps no tensor", async () => {
    const theta = parameters({ a: 40 });
    const scales: number[] = [];
    const counted: Perturb = (p, scale, z, keep) => {
      scales.push(scale);
      gaussian(p, scale, z, keep);
    };
    const tensors = tf.memory().numTensors;
    const { projectedGrad } = await mezo({ lr: 0.5, eps: 0.01, noise: counted }).step(theta, quadratic(theta), at(0));
    expect(scales).toEqual([0.01, -0.02, 0.01 - 0.5 * projectedGrad]);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  test("falls to a learning rate of 0 with the linear schedule, and stays with the constant one (Table 7)", async () => {
    const theta = parameters({ a: 4 });
    const rates = async (schedule: "constant" | "linear"): Promise<number[]> =>
      Promise.all(
        [0, 50, 99].map(async (step) => (await mezo({ lr: 0.1, schedule }).step(theta, () => 1, at(step))).lr),
      );
    expect(await rates("constant")).toEqual([0.1, 0.1, 0.1]);
    expect((await rates("linear")).map((lr) => Number(lr.toFixed(6)))).toEqual([0.1, 0.05, 0.001]);
  });

  test("decays weights but neither biases nor layer norms, as the authors' code", async () => {
    const names = { "fc1.weight": 8, "fc1.bias": 8, "self_attn_layer_norm.weight": 8 };
    const theta = parameters(names);
    const before = theta.map(({ value }) => [...viewOf(value).values]);
    await mezo({ lr: 0.5, weightDecay: 0.1 }).step(theta, () => 1, at(0));
    const keeps = [0.95, 1, 1];
    theta.forEach(({ value }, i) => {
      [...viewOf(value).values].forEach((v, j) => expect(v).toBeCloseTo(before[i]![j]! * keeps[i]!, 5));
    });
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])(
    "stops at a loss of %s with the step, the losses and what to try, theta as it was",
    async (loss) => {
      const theta = parameters({ a: 8 });
      const before = valuesOf(theta);
      const run = mezo({ lr: 0.1 }).step(theta, () => loss, at(17));
      await expect(run).rejects.toThrow(
        new RegExp(`step 17: .* ${loss} and ${loss}; try a learning rate ten times smaller`),
      );
      valuesOf(theta).forEach((v, i) => expect(v).toBeCloseTo(before[i]!, 6));
    },
  );

  test.each([
    [{ lr: -1 }, /learning rate/],
    [{ lr: 1, eps: 0 }, /eps/],
    [{ lr: 1, weightDecay: Number.NaN }, /weight decay/],
    [{ lr: 1, schedule: "cosine" as "linear" }, /no schedule "cosine"/],
    [{ lr: 1, rate: 3 }, /no option rate/],
  ])("refuses the options %j", (options, message) => {
    expect(() => mezo(options)).toThrow(message);
  });

  test("brings theta back where the objective throws, at either of the two evaluations", async () => {
    for (const failing of [1, 2]) {
      const theta = parameters({ a: 8 });
      const before = valuesOf(theta);
      let calls = 0;
      const objective = (): number => {
        if (++calls === failing) throw new Error("no loss");
        return 1;
      };
      await expect(mezo({ lr: 0.1 }).step(theta, objective, at(0))).rejects.toThrow("no loss");
      valuesOf(theta).forEach((v, i) => expect(v).toBeCloseTo(before[i]!, 6));
    }
  });

  test("names the law of z among its options", () => {
    expect([gaussian, rademacher].map((noise) => mezo({ lr: 1, noise }).options.noise)).toEqual([
      "gaussian",
      "rademacher",
    ]);
  });
});
