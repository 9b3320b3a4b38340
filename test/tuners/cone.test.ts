import { describe, expect, test } from "vitest";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { gaussian, rademacher } from "../../src/tensor/parameter.ts";
import { betaAt, conMezo } from "../../src/tuners/cone.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import type { Objective } from "../../src/tuners/tuner.ts";
import { quadratic, started, train, valuesOf, weights, zOf } from "./weights.ts";

const SIZES = { "embed.weight": 3000, "layers.0.weight": 40, "layers.0.bias": 3 };
const SEED = 4;

/** Half the squared norm; it keeps what theta was at every evaluation. */
function watched(theta: readonly Parameter[]): { objective: Objective; seen: number[][] } {
  const seen: number[][] = [];
  const value = async (): Promise<number> => {
    seen.push(await valuesOf(theta));
    return seen.at(-1)!.reduce((sum, v) => sum + (v * v) / 2, 0);
  };
  return { objective: { value }, seen };
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
const norm = (a: readonly number[]): number => Math.sqrt(dot(a, a));
const cosine = (a: readonly number[], b: readonly number[]): number => dot(a, b) / (norm(a) * norm(b));

/** ConMeZO in plain arrays and double precision, with m's own norm, along the estimates that the tuner found. */
function reference(settings: {
  readonly theta: readonly number[];
  readonly u: readonly (readonly number[])[];
  readonly estimates: readonly number[];
  readonly lr: number;
  readonly angle: number;
  readonly beta: number;
}): { theta: number[]; m: number[][]; z: number[][] } {
  const { u, estimates, lr, angle, beta } = settings;
  let theta = [...settings.theta];
  const [m, zs]: [number[][], number[][]] = [[theta.map(() => 0)], []];
  estimates.forEach((g, step) => {
    const axis = m.at(-1)!;
    const length = norm(axis);
    const scale = length === 0 ? 0 : (Math.cos(angle) * Math.sqrt(axis.length)) / length;
    const z = u[step]!.map((v, i) => scale * axis[i]! + (length === 0 ? 1 : Math.sin(angle)) * v);
    theta = theta.map((v, i) => v - lr * g * z[i]!);
    m.push(axis.map((v, i) => beta * v + (1 - beta) * g * z[i]!));
    zs.push(z);
  });
  return { theta, m, z: zs };
}

const drawsOf = (theta: readonly Parameter[], noise: typeof gaussian, steps: number): Promise<number[][]> =>
  Promise.all(Array.from({ length: steps }, (_, step) => zOf(theta, noise, { seed: SEED, step })));

describe.each([
  ["gaussian", gaussian],
  ["rademacher", rademacher],
] as const)("ConMeZO along %s noise", (_law, noise) => {
  const settings = { lr: 2e-5, angle: 1.1, beta: 0.8, warmUp: 0 };
  const eps = 1e-2;
  const STEPS = 12;

  test("descends as plain arrays do, by cos(angle) √d m / ‖m‖ + sin(angle) u and its momentum", async () => {
    const theta = weights(SIZES);
    const before = await valuesOf(theta);
    const found = await train(conMezo({ ...settings, eps, noise }), theta, quadratic(theta), STEPS, SEED);
    const estimates = found.map(({ projectedGrad }) => projectedGrad as number);
    const plain = reference({ theta: before, u: await drawsOf(theta, noise, STEPS), estimates, ...settings });
    const moved = (await valuesOf(theta)).map((v, i) => v - before[i]!);
    const expected = plain.theta.map((v, i) => v - before[i]!);
    // The norm of m is what is expected of it, which is off by one over the root of 2 d, 1.3 %, at most a few times.
    expect(norm(moved.map((v, i) => v - expected[i]!)) / norm(expected)).toBeLessThan(0.04);
  });

  test("looks along a z at that angle from the momentum, as long as MeZO's, on both sides", async () => {
    const theta = weights(SIZES);
    const { objective, seen } = watched(theta);
    const begun = await valuesOf(theta);
    const training = started(conMezo({ ...settings, eps, noise }), theta);
    const estimates: number[] = [];
    const u = await drawsOf(theta, noise, STEPS);
    for (let step = 0; step < STEPS; step++) {
      const before = await valuesOf(theta);
      const at = { seed: SEED, step, total: STEPS };
      const { projectedGrad } = await training.step(objective, at);
      const { m } = reference({ theta: begun, u, estimates, ...settings });
      estimates.push(projectedGrad as number);
      const [plus, minus] = seen.slice(-2) as [number[], number[]];
      const z = plus.map((v, i) => (v - before[i]!) / eps);
      minus.forEach((v, i) => expect(v - before[i]!).toBeCloseTo(-eps * z[i]!, 4));
      expect(norm(z) / Math.sqrt(z.length)).toBeGreaterThan(0.95);
      expect(norm(z) / Math.sqrt(z.length)).toBeLessThan(1.05);
      if (step === 0) expect(cosine(z, u[0]!)).toBeCloseTo(1, 4);
      else expect(Math.abs(cosine(z, m.at(-1)!) - Math.cos(settings.angle))).toBeLessThan(0.06);
      expect((projectedGrad as number) / dot(z, before)).toBeCloseTo(1, 1);
    }
  });

  test("is MeZO at an angle of 90°, to rounding", async () => {
    const [one, other] = [weights(SIZES), weights(SIZES)];
    const at = { lr: 1e-4, eps, noise };
    await train(conMezo({ ...at, angle: Math.PI / 2, warmUp: 0 }), one, quadratic(one), 5);
    await train(mezo(at), other, quadratic(other), 5);
    const [a, b] = [await valuesOf(one), await valuesOf(other)];
    a.forEach((v, i) => expect(v).toBeCloseTo(b[i]!, 6));
    expect(a).not.toEqual(await valuesOf(weights(SIZES)));
  });
});

describe("ConMeZO", () => {
  test("turns to the gradient: its momentum finds it where random directions hardly do", async () => {
    const meanCosine = async (angle: number): Promise<number> => {
      const theta = weights({ a: 400 });
      const before = await valuesOf(theta); // the gradient of the quadratic
      const { objective, seen } = watched(theta);
      await train(conMezo({ lr: 0, beta: 0.95, warmUp: 0, angle }), theta, objective, 240);
      const late = seen.filter((_, i) => i % 2 === 0).slice(40);
      return late.reduce(
        (sum, side) =>
          sum +
          cosine(
            side.map((v, i) => v - before[i]!),
            before,
          ) /
            late.length,
        0,
      );
    };
    expect(await meanCosine(1)).toBeGreaterThan(0.08);
    expect(Math.abs(await meanCosine(Math.PI / 2))).toBeLessThan(0.02);
  });

  test("warms its momentum up as its authors' code does: 0.1 for a tenth, then ever slower", () => {
    const beta = (step: number): number => betaAt({ beta: 0.95, warmUp: 2000 }, step);
    expect([0, 200].map(beta)).toEqual([expect.closeTo(0.1, 12), expect.closeTo(0.1, 12)]);
    expect(beta(1100)).toBeCloseTo(0.95 - 0.85 / (1 + 8 * 0.5 ** 1.8) ** 3, 12);
    expect([2000, 5000].map(beta)).toEqual([0.95, 0.95]);
    expect(betaAt({ beta: 0.9, warmUp: 0 }, 0)).toBe(0.9);
  });

  test("within a share of the weights leaves the large ones as they are", async () => {
    const theta = weights(SIZES);
    const before = await valuesOf(theta);
    await train(conMezo({ lr: 1e-4, share: 0.25, warmUp: 0 }), theta, quadratic(theta), 5);
    const moved = (await valuesOf(theta)).filter((v, i) => v !== before[i]).length;
    expect(moved).toBeGreaterThan(0.2 * before.length);
    expect(moved).toBeLessThanOrEqual(750 + 10 + 1);
  });

  test("tells its options and the memory of its momentum", () => {
    const { options, resident } = conMezo({ lr: 1 });
    expect(options).toMatchObject({ lr: 1, angle: 1.35, beta: 0.95, warmUp: 2000 });
    expect(resident).toEqual({ gradients: 0, optimizer: 1 });
  });

  test.each([
    [{ angle: 0 }, /angle above 0 and up to 1\.57/],
    [{ angle: 2 }, /angle above 0/],
    [{ beta: 1 }, /beta from 0 on and below 1/],
    [{ warmUp: -1 }, /warmUp of at least 0/],
    [{ noise: () => {} }, /needs gaussian or rademacher noise/],
  ])("is refused with %o", (options, message) => {
    expect(() => conMezo({ lr: 1, ...options })).toThrow(message);
  });
});
