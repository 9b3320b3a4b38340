import * as tf from "@tensorflow/tfjs-core";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { storage } from "../../src/tensor/backend.ts";
import { deferSweeps } from "../../src/tensor/deferred.ts";
import * as sweeps from "../../src/tensor/noise/sweep.ts";
import type { Parameter, Perturb } from "../../src/tensor/parameter.ts";
import { fillValues, gaussian, rademacher } from "../../src/tensor/parameter.ts";
import { allValues } from "../values.ts";

let theta: Parameter[] = [];

beforeAll(() => {
  theta = [
    { name: "a", value: tf.zeros([40, 50]) },
    { name: "b", value: tf.zeros([7]) },
  ];
});
afterAll(() => tf.dispose(theta.map(({ value }) => value)));

const values = async (): Promise<number[]> =>
  (await allValues(theta.map(({ value }) => value))).flatMap((all) => [...all]);
const zero = (): void => {
  for (const { value } of theta) fillValues(value, (all) => all.fill(0));
};

afterEach(() => {
  zero();
  vi.restoreAllMocks();
});

/** Moves of both laws. */
function work(one: Perturb, other: Perturb): void {
  for (let step = 0; step < 300; step++) {
    one(theta, 0.1, { seed: 1, step }, step % 7 === 0 ? 0.9 : 1);
    if (step % 40 === 0) other(theta.slice(0, 1), 0.2, { seed: 1, step });
  }
}

test("sweeps that are put off are made when the work ends, to the same bits, and directly afterwards", async () => {
  work(gaussian, rademacher);
  const after = await values();
  work(gaussian, rademacher);
  const later = await values();
  zero();
  const { through, during } = deferSweeps();
  await during(async () => work(through(gaussian), through(rademacher)));
  expect(await values()).toEqual(after);
  work(through(gaussian), through(rademacher));
  expect(await values()).toEqual(later);
});

test("a noise without a law is made at once, after what waits", async () => {
  const add: Perturb = (weights) => {
    for (const { value } of weights) fillValues(value, (all) => all.fill(5));
  };
  gaussian(theta, 0.1, { seed: 1, step: 0 });
  add(theta, 1, { seed: 1, step: 0 });
  const after = await values();
  zero();
  const { through, during } = deferSweeps();
  const [one, other] = [through(gaussian), through(add)];
  await during(async () => {
    one(theta, 0.1, { seed: 1, step: 0 });
    other(theta, 1, { seed: 1, step: 0 });
    expect(await values()).toEqual(after);
  });
});

test("hundreds of steps are a few passes over the weights", async () => {
  const passes = vi.spyOn(storage(), "move" as never);
  const { through, during } = deferSweeps();
  const noise = through(gaussian);
  await during(async () => {
    for (let step = 0; step < 600; step++) noise(theta, 0.1, { seed: 1, step });
  });
  expect(passes).toHaveBeenCalledTimes(3);
  expect(sweeps.secondsInNoise() > 0).toBe(storage().view !== undefined); // elsewhere the backend makes z itself
});

test("where the work fails, what was put off is made all the same", async () => {
  const { through, during } = deferSweeps();
  const noise = through(gaussian);
  const failing = during(async () => {
    noise(theta, 0.1, { seed: 1, step: 0 });
    throw new Error("stop");
  });
  await expect(failing).rejects.toThrow("stop");
  const moved = await values();
  zero();
  gaussian(theta, 0.1, { seed: 1, step: 0 });
  expect(await values()).toEqual(moved);
});
