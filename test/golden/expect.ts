import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import { readTensor } from "../../src/checkpoints/safetensors.ts";
import { openSafetensors } from "../../src/checkpoints/safetensorsHeader.ts";
import type { LoadedNetwork } from "../../src/models/network.ts";
import { storage } from "../../src/tensor/backend.ts";
import type { Perturb } from "../../src/tensor/parameter.ts";
import type { StepResult } from "../../src/tuners/tuner.ts";
import { shared } from "../shared.ts";
import { valuesOf } from "../values.ts";

/** z of each step from a golden file, in place of noise. */
export function givenNoise(file: string): Perturb {
  const z = openSafetensors(shared(`golden/${file}`)!);
  return (theta, scale, { step }, keep = 1) => {
    for (const { name, value } of theta)
      tf.tidy(() => {
        const own = tf.tensor(readTensor(z, `step${step}.${name}`), value.shape);
        storage().copy(tf.add(tf.mul(value, keep), tf.mul(own, scale)), value);
      });
  };
}

/** Checks a step's losses and projected gradient. */
export function expectStep(
  result: StepResult,
  want: { readonly loss_plus: number; readonly loss_minus: number; readonly projected_grad: number },
): void {
  expect(Math.abs(result.lossPlus! - want.loss_plus)).toBeLessThan(1e-4);
  expect(Math.abs(result.lossMinus! - want.loss_minus)).toBeLessThan(1e-4);
  const error = Math.abs((result.projectedGrad as number) - want.projected_grad);
  expect(error).toBeLessThan(5e-3 + 2e-3 * Math.abs(want.projected_grad));
}

/** Checks all weights by the norm and the first values of each. */
export async function expectWeights(
  { parameters }: LoadedNetwork,
  want: Readonly<Record<string, { readonly head: number[]; readonly l2: number }>>,
): Promise<void> {
  expect(parameters.map(({ name }) => name).sort()).toEqual(Object.keys(want).sort());
  for (const { name, value } of parameters) {
    const values = await valuesOf(value);
    want[name]!.head.forEach((v, i) => expect(Math.abs(values[i]! - v), name).toBeLessThan(1e-4));
    expect(Math.abs(Math.hypot(...values) - want[name]!.l2), name).toBeLessThan(1e-3);
  }
}

/** Checks a gradient against a model's golden file, and disposes of it. */
export async function expectGradients(
  model: string,
  { parameters }: LoadedNetwork,
  gradients: readonly tf.Tensor[],
): Promise<void> {
  const file = openSafetensors(shared(`golden/${model}-grad-f64.safetensors`)!);
  let largest = 0;
  for (const [i, { name }] of parameters.entries()) {
    const want = readF64(file.path, file.tensors.get(name)!);
    const got = await valuesOf(gradients[i]!);
    expect(got.length).toBe(want.length);
    expect(Math.max(...want.map((v, j) => Math.abs(v - got[j]!))), name).toBeLessThan(1e-4);
    largest = Math.max(largest, ...want.map(Math.abs));
  }
  expect(largest).toBeGreaterThan(1e-2);
  tf.dispose([...gradients]);
}

/** A float64 tensor, which the kit has no other use for. */
function readF64(path: string, { byteOffset, byteLength }: { byteOffset: number; byteLength: number }): number[] {
  const bytes = readFileSync(path).subarray(byteOffset, byteOffset + byteLength);
  return Array.from({ length: byteLength / 8 }, (_, i) => bytes.readDoubleLE(8 * i));
}
