import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import "../../../src/kernels/backends.ts";
import { probeBackends, useBackend } from "../../../src/tensor/backend.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "webgpu")!;

/** Whether there is a GPU, software or hardware. */
export const isHere: boolean = available;

/** For a suite's name: on what it runs, or why it does not. */
export const where: string = available ? ` on ${detail}` : ` (skipped: ${detail})`;

/** Seeded numbers around 0.2 of a shape. */
export const drawn = (seed: number, ...shape: number[]): tf.Tensor => tf.randomNormal(shape, 0.2, 1.5, "float32", seed);

/** The values of tensors that are computed on a backend. */
export async function on(backend: "webgpu" | "native" | "cpu", run: () => tf.Tensor[]): Promise<Float32Array[]> {
  await useBackend(backend);
  const before = [tf.memory().numTensors, tf.engine().backend.numDataIds()];
  const tensors = tf.tidy(run);
  const values = await Promise.all(tensors.map((tensor) => tensor.data() as Promise<Float32Array>));
  tf.dispose(tensors);
  expect([tf.memory().numTensors, tf.engine().backend.numDataIds()], "tensors and data left behind").toEqual(before);
  await useBackend("native");
  return values;
}

/** The largest difference, against the largest value there is, or 0.1. */
export function worst(found: Float32Array, expected: Float32Array): number {
  const size = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 0.1);
  return expected.reduce((most, v, i) => Math.max(most, Math.abs(found[i]! - v) / size), 0);
}

/** Expects of webgpu, twice the same bits, what the cpu backend's own operations and the native backend give. */
export async function expectSame(run: () => tf.Tensor[], tolerance = 1e-5): Promise<void> {
  const [found, again] = [await on("webgpu", run), await on("webgpu", run)];
  expect(again).toEqual(found);
  for (const backend of ["cpu", "native"] as const) {
    const expected = await on(backend, run);
    expect(found.length).toBe(expected.length);
    for (const [i, values] of expected.entries()) {
      expect(found[i]!.length).toBe(values.length);
      expect(worst(found[i]!, values), `result ${i}, against ${backend}`).toBeLessThan(tolerance);
    }
  }
}
