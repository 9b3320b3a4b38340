import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { gaussian, type Perturb, rademacher } from "../../src/tensor/parameter.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import type { Objective } from "../../src/tuners/tuner.ts";
import { quadratic, started, train, valuesOf, weights, zOf } from "./weights.ts";

const at = (step: number) => ({ seed: 3, step, total: 100 });

describe.each([
  ["gaussian", gaussian],
  ["rademacher", rademacher],
])("MeZO (Algorithm 1) with %s noise", (_name, noise: Perturb) => {
  test("lowers a quadratic to a fifth in 200 steps", async () => {
    const theta = weights({ a: 40, b: 7 });
    const objective = quadratic(theta);
    const before = await objective.value();
    await train(mezo({ lr: 0.01, noise }), theta, objective, 200);
    expect(await objective.value()).toBeLessThan(before / 5);
  });

  test("measures the directional derivative along its own z", async () => {
    const theta = weights({ a: 40, b: 7 });
    const before = await valuesOf(theta);
    const { projectedGrad } = await started(mezo({ lr: 0, noise }), theta).step(quadratic(theta), at(5));
    const expected = (await zOf(theta, noise, { seed: 3, step: 5 })).reduce((sum, z, i) => sum + z * before[i]!, 0);
    expect((projectedGrad as number) / expected).toBeCloseTo(1, 3);
  });
});

describe("MeZO (Algorithm 1)", () => {
  test("takes both losses from one pass where the objective has it, and then writes theta once", async () => {
    const theta = weights({ w: 70 });
    const before = await valuesOf(theta);
    const sweeps: number[] = [];
    const noise: Perturb = Object.assign(
      (...args: Parameters<Perturb>) => {
        sweeps.push(args[1]);
        gaussian(...args);
      },
      { law: "gaussian" as const },
    );
    const objective: Objective = {
      value: () => Number.NaN,
      pair: async (_theta, { law, eps, z }) => {
        expect({ law, eps, z }).toEqual({ law: "gaussian", eps: 0.5, z: { seed: 4, step: 0 } });
        expect(await valuesOf(theta)).toEqual(before);
        return { lossPlus: 3, lossMinus: 1 };
      },
    };
    const [result] = await train(mezo({ lr: 0.25, eps: 0.5, noise }), theta, objective, 1);
    expect(result).toEqual({ lr: 0.25, loss: 2, lossPlus: 3, lossMinus: 1, projectedGrad: 2 });
    expect(sweeps).toEqual([-0.5]);
  });

  test("sweeps over the weights three times a step and keeps no tensor", async () => {
    const theta = weights({ a: 40 });
    const scales: number[] = [];
    const counted: Perturb = (p, scale, z, keep) => {
      scales.push(scale);
      gaussian(p, scale, z, keep);
    };
    const tensors = tf.memory().numTensors;
    const { projectedGrad } = await started(mezo({ lr: 0.5, eps: 0.01, noise: counted }), theta).step(
      quadratic(theta),
      at(0),
    );
    expect(scales).toEqual([0.01, -0.02, 0.01 - 0.5 * (projectedGrad as number)]);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  test("has its projected gradient in float32, so that a run file holds the very number that theta moved by", async () => {
    const objective: Objective = { value: () => Number.NaN, pair: () => ({ lossPlus: 0.1, lossMinus: 0 }) };
    const { projectedGrad } = await started(mezo({ lr: 0, eps: 0.5 }), weights({ w: 3 })).step(objective, at(0));
    expect(projectedGrad).toBe(Math.fround(0.1));
  });

  test("falls to a learning rate of 0 with the linear schedule, and stays with the constant one (Table 7)", async () => {
    const theta = weights({ a: 4 });
    const rates = async (schedule: "constant" | "linear"): Promise<number[]> =>
      Promise.all(
        [0, 50, 99].map(
          async (step) => (await started(mezo({ lr: 0.1, schedule }), theta).step({ value: () => 1 }, at(step))).lr,
        ),
      );
    expect(await rates("constant")).toEqual([0.1, 0.1, 0.1]);
    expect((await rates("linear")).map((lr) => Number(lr.toFixed(6)))).toEqual([0.1, 0.05, 0.001]);
  });

  test("decays weights but neither biases nor layer norms, as the authors' code", async () => {
    const names = { "fc1.weight": 8, "fc1.bias": 8, "self_attn_layer_norm.weight": 8 };
    const theta = weights(names);
    const before = await valuesOf(theta);
    await started(mezo({ lr: 0.5, weightDecay: 0.1 }), theta).step({ value: () => 1 }, at(0));
    const keeps = [0.95, 1, 1];
    (await valuesOf(theta)).forEach((v, i) => expect(v).toBeCloseTo(before[i]! * keeps[i >> 3]!, 5));
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])(
    "stops at a loss of %s with the step, the losses and what to try, theta as it was",
    async (loss) => {
      const theta = weights({ a: 8 });
      const before = await valuesOf(theta);
      const run = started(mezo({ lr: 0.1 }), theta).step({ value: () => loss }, at(17));
      await expect(run).rejects.toThrow(
        new RegExp(`step 17: .* ${loss} and ${loss}; try a learning rate ten times smaller`),
      );
      (await valuesOf(theta)).forEach((v, i) => expect(v).toBeCloseTo(before[i]!, 6));
    },
  );

  test("names the law of z among its options", () => {
    expect([gaussian, rademacher].map((noise) => mezo({ lr: 1, noise }).options.noise)).toEqual([
      "gaussian",
      "rademacher",
    ]);
  });

  test("averages over micro-batches with one z where the objective does, and so needs no more than two losses (gradient accumulation)", async () => {
    const [whole, parts] = [weights({ a: 40 }), weights({ a: 40 })];
    const targets = Array.from({ length: 8 }, (_, i) => Math.sin(i));
    const lossOn = async (theta: typeof whole, rows: readonly number[]): Promise<number> => {
      const values = await valuesOf(theta);
      return rows.reduce((sum, row) => sum + values.reduce((all, v) => all + (v - row) ** 2, 0), 0) / rows.length;
    };
    const micro = [targets.slice(0, 4), targets.slice(4)];
    const steps = {
      value: async () => {
        let sum = 0;
        for (const rows of micro) sum += (await lossOn(parts, rows)) / micro.length;
        return sum;
      },
    };
    await train(mezo({ lr: 1e-3 }), whole, { value: () => lossOn(whole, targets) }, 5);
    await train(mezo({ lr: 1e-3 }), parts, steps, 5);
    const [found, wanted] = [await valuesOf(parts), await valuesOf(whole)];
    found.forEach((v, i) => expect(v).toBeCloseTo(wanted[i]!, 5));
    expect(await valuesOf(whole)).not.toEqual(await valuesOf(weights({ a: 40 })));
  });
});
