import { describe, expect, test } from "vitest";
import { forwardGradient } from "../../src/lab/forwardGradient.ts";
import { leanMomentum } from "../../src/lab/lean.ts";
import { mezoSign } from "../../src/lab/variants.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { gaussian, rademacher } from "../../src/tensor/parameter.ts";
import { mezoAdam } from "../../src/tuners/adam.ts";
import { nSpsa, onePoint } from "../../src/tuners/estimates.ts";
import { varianceModified } from "../../src/tuners/layers.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { mezoMomentum } from "../../src/tuners/rules.ts";
import { sparseMezo } from "../../src/tuners/sparse.ts";
import type { Objective, Tuner } from "../../src/tuners/tuner.ts";
import { quadratic, started, train, valuesOf, weight, weights, zOf } from "./weights.ts";

const SIZES = { "embed.weight": 3000, "layers.0.weight": 40, "layers.0.bias": 3 };

/** By weight whether each element is among the share of least magnitude, by sorting. */
async function smallestBySorting(theta: readonly Parameter[], share: number): Promise<boolean[]> {
  const isIn: boolean[] = [];
  for (const each of theta) {
    const sizes = (await valuesOf([each])).map(Math.abs);
    const most = sizes.toSorted((a, b) => a - b)[Math.ceil(share * sizes.length) - 1]!;
    isIn.push(...sizes.map((size) => size <= most));
  }
  return isIn;
}

/** Half the squared norm of what is given; it keeps what theta was at every evaluation. */
function watched(theta: readonly Parameter[]): { objective: Objective; seen: number[][] } {
  const seen: number[][] = [];
  const value = async (): Promise<number> => {
    seen.push(await valuesOf(theta));
    return seen.at(-1)!.reduce((sum, v) => sum + (v * v) / 2, 0);
  };
  return { objective: { value }, seen };
}

describe("Sparse-MeZO", () => {
  test("looks at theta ± eps z, and moves it, where its weights are small, by MeZO's formula", async () => {
    const theta = weights(SIZES);
    const [before, isIn] = [await valuesOf(theta), await smallestBySorting(theta, 0.3)];
    const { objective, seen } = watched(theta);
    const [lr, eps] = [1e-4, 1e-2];
    const at = { seed: 3, step: 5, total: 9 };
    const { projectedGrad } = await started(sparseMezo({ lr, eps, share: 0.3 }), theta).step(objective, at);
    const z = (await zOf(theta, gaussian, { seed: 3, step: 5 })).map((v, i) => (isIn[i] ? v : 0));
    for (const [side, way] of [
      [seen[0]!, +eps],
      [seen[1]!, -eps],
    ] as const)
      side.forEach((v, i) => expect(v).toBeCloseTo(before[i]! + way * z[i]!, 6));
    const derivative = z.reduce((sum, v, i) => sum + v * before[i]!, 0); // that of the quadratic is theta · z
    expect((projectedGrad as number) / derivative).toBeCloseTo(1, 2);
    (await valuesOf(theta)).forEach((v, i) => {
      if (isIn[i]) expect(v).toBeCloseTo(before[i]! - lr * (projectedGrad as number) * z[i]!, 6);
      else expect(v).toBe(before[i]);
    });
    expect(isIn.filter(Boolean).length).toBe(900 + 12 + 1);
  });

  test("takes a quarter where no share is given, and tells it, and the memory of its masks", () => {
    expect(sparseMezo({ lr: 1 }).options).toMatchObject({ lr: 1, share: 0.25, noise: "gaussian" });
    expect(sparseMezo({ lr: 1 }).resident).toEqual({ gradients: 0, optimizer: 1 / 32 });
    expect("share" in mezo({ lr: 1 }).options).toBe(false);
    expect(mezo({ lr: 1, share: 0.5 }).options.share).toBe(0.5);
  });

  test.each([gaussian, rademacher])("of all is MeZO, to the bit", async (noise) => {
    const [one, other] = [weights(SIZES), weights(SIZES)];
    await train(sparseMezo({ lr: 1e-4, noise, share: 1 }), one, quadratic(one), 5);
    await train(mezo({ lr: 1e-4, noise }), other, quadratic(other), 5);
    expect(await valuesOf(one)).toEqual(await valuesOf(other));
  });

  test("keeps the mask of the first step, though weights move past each other", async () => {
    const theta = weights(SIZES);
    const [before, isIn] = [await valuesOf(theta), await smallestBySorting(theta, 0.5)];
    await train(sparseMezo({ lr: 1e-3, share: 0.5 }), theta, quadratic(theta), 30);
    const after = await valuesOf(theta);
    expect(await smallestBySorting(theta, 0.5)).not.toEqual(isIn);
    expect(after.map((v, i) => v !== before[i])).toEqual(isIn);
  });

  test.each([0, -1, 1.1, Number.NaN])("is refused with a share of %d", (share) => {
    expect(() => sparseMezo({ lr: 1, share })).toThrow(/Sparse-MeZO needs a share above 0 and up to 1/);
  });

  test("is refused along a noise of a user's own, which knows no mask", () => {
    expect(() => mezo({ lr: 1, noise: () => {}, share: 0.5 })).toThrow(/needs gaussian or rademacher noise/);
  });
});

describe("a share of a direction", () => {
  const lr = 1e-4;
  const share = 0.25;
  test.each<[string, Tuner]>([
    ["MeZO", mezo({ lr, share })],
    ["MeZO with signs", mezo({ lr, share, noise: "rademacher" })],
    ["n-SPSA", nSpsa({ lr, share, n: 3 })],
    ["the one-point estimate", onePoint({ lr, share, eps: 1 })],
    ["the variance-modified estimate", varianceModified({ lr, share, scaledBy: "parameter norm" })],
    ["MeZO-momentum", mezoMomentum({ lr, share })],
    ["MeZO-Adam", mezoAdam({ lr, share })],
    ["momentum made of the past", leanMomentum({ lr, share })],
    ["sign MeZO", mezoSign({ lr, share })],
    ["the forward gradient", forwardGradient({ lr, share })],
  ])("of %s never changes a bit of a large weight, and changes the small ones", async (_name, tuner) => {
    const theta = weights(SIZES);
    const [before, isIn] = [await valuesOf(theta), await smallestBySorting(theta, share)];
    await train(tuner, theta, quadratic(theta), 4);
    const after = await valuesOf(theta);
    expect(after.flatMap((v, i) => (isIn[i] ? [] : [v - before[i]!])).every((moved) => moved === 0)).toBe(true);
    const moved = after.filter((v, i) => isIn[i] && v !== before[i]).length;
    expect(moved).toBeGreaterThan(0.8 * isIn.filter(Boolean).length);
  });

  test("leaves weight decay to act on all weights", async () => {
    const theta = [weight("fc.weight", [1, -2, 3, 4])];
    await started(mezo({ lr: 0.5, weightDecay: 0.1, share }), theta).step(
      { value: () => 1 },
      { seed: 1, step: 0, total: 1 },
    );
    (await valuesOf(theta)).forEach((v, i) => expect(v).toBeCloseTo([0.95, -1.9, 2.85, 3.8][i]!, 5));
  });
});
