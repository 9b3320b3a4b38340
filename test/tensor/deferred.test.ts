import * as tf from "@tensorflow/tfjs";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { storage } from "../../src/tensor/backend.ts";
import { inFewPasses } from "../../src/tensor/deferred.ts";
import * as sweeps from "../../src/tensor/noise/sweep.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { fillValues, gaussian, rademacher } from "../../src/tensor/parameter.ts";

let theta: Parameter[] = [];

beforeAll(() => {
  theta = [
    { name: "a", value: tf.zeros([40, 50]) },
    { name: "b", value: tf.zeros([7]) },
  ];
});
afterAll(() => tf.dispose(theta.map(({ value }) => value)));

const values = (): number[] => theta.flatMap(({ value }) => [...storage().view!(value)]);

afterEach(() => {
  for (const { value } of theta) fillValues(value, (all) => all.fill(0));
  vi.restoreAllMocks();
});

/** Moves of both laws, with values read in between. */
function work(): number[] {
  const seen: number[] = [];
  for (let step = 0; step < 300; step++) {
    gaussian(theta, 0.1, { seed: 1, step }, step % 7 === 0 ? 0.9 : 1);
    if (step % 40 === 0) rademacher(theta.slice(0, 1), 0.2, { seed: 1, step });
    if (step % 90 === 0) seen.push(...values());
    if (step === 120) fillValues(theta[1]!.value, (all) => all.fill(step));
  }
  return seen;
}

test("sweeps that are put off are made before values are seen or written, and in the end, to the same bits", async () => {
  const seen = work();
  const after = values();
  for (const { value } of theta) fillValues(value, (all) => all.fill(0));
  expect(await inFewPasses(async () => work())).toEqual(seen);
  expect(values()).toEqual(after);
});

test("hundreds of steps are a few passes over the weights", async () => {
  const passes = vi.spyOn(storage(), "move" as never);
  await inFewPasses(async () => {
    for (let step = 0; step < 600; step++) gaussian(theta, 0.1, { seed: 1, step });
  });
  expect(passes).toHaveBeenCalledTimes(3);
  expect(sweeps.secondsInNoise()).toBeGreaterThan(0);
});

test("where the work fails, what was put off is made all the same", async () => {
  const failing = inFewPasses(async () => {
    gaussian(theta, 0.1, { seed: 1, step: 0 });
    throw new Error("stop");
  });
  await expect(failing).rejects.toThrow("stop");
  const moved = values();
  for (const { value } of theta) fillValues(value, (all) => all.fill(0));
  gaussian(theta, 0.1, { seed: 1, step: 0 });
  expect(values()).toEqual(moved);
});
