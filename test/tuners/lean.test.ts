import { describe, expect, test } from "vitest";
import { leanAdam, leanMomentum } from "../../src/lab/lean.ts";
import { gaussian, rademacher } from "../../src/tensor/parameter.ts";
import { mezoAdam } from "../../src/tuners/adam.ts";
import { mezoMomentum } from "../../src/tuners/rules.ts";
import type { Resident, Tuner } from "../../src/tuners/tuner.ts";
import { quadratic, train, valuesOf, weights, zOf } from "./weights.ts";

/** One weight of several tiles, the last one short. */
const SIZES = { "layers.0.weight": 17_000, "layers.0.bias": 3 };

async function trained(tuner: Tuner, steps: number): Promise<number[]> {
  const theta = weights(SIZES);
  await train(tuner, theta, quadratic(theta), steps);
  return valuesOf(theta);
}

const STEPS = 50;

describe("moments made of the past", () => {
  test.each<[string, Tuner, Tuner]>([
    ["momentum", leanMomentum({ lr: 1e-6, history: STEPS }), mezoMomentum({ lr: 1e-6 })],
    [
      "momentum with weight decay, along signs",
      leanMomentum({ lr: 1e-6, history: STEPS, weightDecay: 0.1, noise: rademacher }),
      mezoMomentum({ lr: 1e-6, weightDecay: 0.1, noise: rademacher }),
    ],
    ["Adam", leanAdam({ lr: 1e-3, history: STEPS }), mezoAdam({ lr: 1e-3 })],
  ])("of all steps are those that are kept, to the bit, over 50 steps of %s", async (_name, lean, kept) => {
    const [found, expected] = [await trained(lean, STEPS), await trained(kept, STEPS)];
    expect(found).toEqual(expected);
    expect(found).not.toEqual(await valuesOf(weights(SIZES)));
    expect([lean.resident, (kept.resident as Resident).optimizer > 0]).toEqual([undefined, true]);
  });

  test("of the last steps lack no more of the momentum than is said", async () => {
    const [beta, history, steps, lr] = [0.5, 4, 5, 1e-6];
    const theta = weights(SIZES);
    const results = await train(mezoMomentum({ lr, beta }), theta, quadratic(theta), steps);
    const zs = await Promise.all(results.map((_, step) => zOf(theta, gaussian, { seed: 4, step })));
    const gz = results.flatMap(({ projectedGrad }, step) =>
      zs[step]!.map((z) => Math.abs(z * (projectedGrad as number))),
    );
    const found = await trained(leanMomentum({ lr, beta, history }), steps);
    const off = Math.max(...(await valuesOf(theta)).map((value, i) => Math.abs(value - found[i]!)));
    const largest = gz.reduce((most, size) => Math.max(most, size), 0);
    expect(off).toBeGreaterThan(0);
    expect(off).toBeLessThanOrEqual((lr * beta ** history * largest) / (1 - beta) + 2 ** -22);
  });

  test("keep as many steps as leave out a millionth of momentum, a hundredth of Adam's squares", () => {
    expect(leanMomentum({ lr: 1 }).options.history).toBe(132); // ln 1e-6 / ln 0.9 = 131.1
    expect(leanAdam({ lr: 1 }).options.history).toBe(4603); // ln 0.01 / ln 0.999 = 4602.9
  });

  test("need a law of z, and Adam no weight decay", () => {
    const custom = Object.assign(() => {}, {});
    expect(() => leanMomentum({ lr: 1, noise: custom })).toThrow(/needs gaussian or rademacher noise/);
    expect(() => leanAdam({ lr: 1, weightDecay: 0.1 } as never)).toThrow(/has no weight decay/);
    expect(() => leanAdam({ lr: 1, history: 0 })).toThrow(/whole number from 1 on as history/);
  });
});
