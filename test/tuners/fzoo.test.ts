import { expect, test } from "vitest";
import { gaussian, rademacher } from "../../src/tensor/parameter.ts";
import { evolutionStrategies, fzoo, type OneSidedOptions } from "../../src/tuners/fzoo.ts";
import type { Objective, Tuner } from "../../src/tuners/tuner.ts";
import { quadratic, train, valuesOf, weights, zOf } from "./weights.ts";

const SIZES = { "layers.0.weight": 12, "layers.0.bias": 3 };
const half = (theta: readonly number[]): number => theta.reduce((sum, v) => sum + (v * v) / 2, 0);
const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
const deviation = (values: readonly number[]): number => {
  const center = mean(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - center) ** 2, 0) / (values.length - 1));
};

/** n vectors z of the first step, and the quadratic's losses eps along each. */
async function aside(noise: typeof gaussian, n: number, eps: number) {
  const theta = weights(SIZES);
  const start = await valuesOf(theta);
  const z: number[][] = [];
  for (let index = 0; index < n; index++) z.push(await zOf(theta, noise, { seed: 4, step: 0, index }));
  const losses = z.map((one) => half(start.map((v, i) => v + eps * one[i]!)));
  return { theta, start, z, losses };
}

const moved = (start: readonly number[], z: readonly number[][], by: readonly number[]): number[] =>
  start.map((v, i) => v + z.reduce((sum, one, j) => sum + by[j]! * one[i]!, 0));

const near = (values: readonly number[], wanted: readonly number[]): void => {
  expect(values.length).toBe(wanted.length);
  values.forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i]!, 5);
  });
};

test("FZOO moves against the mean of one-sided estimates along signs, over the deviation of their losses", async () => {
  const [n, eps, lr] = [4, 0.01, 2e-3];
  const { theta, start, z, losses } = await aside(rademacher, n, eps);
  expect(z.flat().every((value) => Math.abs(value) === 1)).toBe(true);
  const [step] = await train(fzoo({ lr, eps, n }), theta, quadratic(theta), 1);
  const grads = losses.map((loss) => (loss - half(start)) / eps);
  near(
    await valuesOf(theta),
    moved(
      start,
      z,
      grads.map((g) => (-lr / deviation(losses) / n) * g),
    ),
  );
  expect(step!.loss).toBeCloseTo(half(start), 5);
  (step!.projectedGrad as number[]).forEach((g, i) => {
    expect((g * deviation(losses)) / grads[i]!).toBeCloseTo(1, 3);
  });
});

test.each<[string, (options: OneSidedOptions) => Tuner, number]>([
  ["FZOO", fzoo, 1],
  ["Evolution strategies", evolutionStrategies, 0],
])(
  "%s leaves theta where it is while an objective looks beside it, and then moves it once",
  async (_name, tuner, here) => {
    const [n, eps] = [3, 0.01];
    const { theta, start, z, losses } = await aside(rademacher, n, eps);
    const seen: number[] = [];
    const objective: Objective = {
      value: async () => half(await valuesOf(theta)),
      pair: () => expect.unreachable("both sides were looked at"),
      side: async (weights, shift) => {
        expect(await valuesOf(theta)).toEqual(start);
        expect(await zOf(weights, rademacher, shift.z)).toEqual(z[seen.length]);
        seen.push(shift.eps);
        return losses[seen.length - 1]!;
      },
    };
    const made = tuner({ lr: 1e-3, eps, n, noise: rademacher, weightDecay: 0.1 });
    expect(made.passes).toBe("side");
    const [step] = await train(made, theta, objective, 1);
    expect(seen).toEqual(Array.from({ length: n }, () => eps));
    const slopes = step!.projectedGrad as number[];
    const scale = here ? deviation(losses) * eps : deviation(losses);
    const from = here ? half(start) : mean(losses);
    slopes.forEach((slope, i) => expect(slope).toBeCloseTo((losses[i]! - from) / scale, 3));
    const again = weights(SIZES);
    slopes.forEach((slope, index) => {
      const by = (-1e-3 / n) * slope;
      const moves = { "layers.0.weight": index === 0 ? 1 - 1e-3 * 0.1 : 1, "layers.0.bias": 1 };
      for (const weight of again)
        rademacher([weight], by, { seed: 4, step: 0, index }, moves[weight.name as keyof typeof moves]);
    });
    expect(await valuesOf(theta)).toEqual(await valuesOf(again));
  },
);

test("evolution strategies move against the losses' standard scores, whose scale does not count", async () => {
  const [n, eps, lr] = [5, 0.05, 0.03];
  const { theta, start, z, losses } = await aside(gaussian, n, eps);
  const scores = losses.map((loss) => (loss - mean(losses)) / deviation(losses));
  const objective = quadratic(theta);
  const scaled: Objective = { value: async () => 1000 * (await objective.value()) };
  const [step] = await train(evolutionStrategies({ lr, eps, n }), theta, scaled, 1);
  near(
    await valuesOf(theta),
    moved(
      start,
      z,
      scores.map((score) => (-lr / n) * score),
    ),
  );
  expect(step!.loss).toBeCloseTo(1000 * mean(losses), 1);
});

/** These losses first, then another for ever: one that thirty of have a mean that is not it. */
const lossesOf = (first: readonly number[], then: number) => {
  const left = [...first];
  return () => left.shift() ?? then;
};

test.each<[string, (options: OneSidedOptions) => Tuner]>([
  ["FZOO", fzoo],
  ["Evolution strategies", evolutionStrategies],
])("%s: theta stays where the losses beside it are all the same; one z a step is refused", async (name, tuner) => {
  const theta = weights(SIZES);
  const start = await valuesOf(theta);
  await train(tuner({ lr: 1, n: 8 }), theta, { value: lossesOf(name === "FZOO" ? [0.5] : [], 0.1) }, 1);
  near(await valuesOf(theta), start);
  expect(() => tuner({ lr: 1, n: 1 })).toThrow(
    `${name} needs several z a step to tell their losses' deviation, not 1.`,
  );
  expect(() => tuner({ lr: 1, n: 2.5 })).toThrow("needs a whole number from 1 on as n, not 2.5");
});
