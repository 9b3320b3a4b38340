import * as tf from "@tensorflow/tfjs-core";
import { storage } from "./backend.ts";
import { type Distribution, noiseKey } from "./noise/key.ts";
import { processorLevel } from "./x86/library.ts";
import { sumSquares } from "./x86/weights.ts";

/** A weight under its checkpoint name; its values are changed in place. */
export interface Parameter {
  readonly name: string;
  readonly value: tf.Tensor;
  /** Bytes an element is kept in, where not 4. */
  readonly bytes?: 2;
}

/** Which z: the seed of the run, the step, and which of the step's z. z itself is never stored; each use makes it again. */
export interface Draw {
  readonly seed: number;
  readonly step: number;
  /** Counts the z of one step from 0, where there are several (n-SPSA); 0 where it is left out. */
  readonly index?: number;
}

/** In place, for every weight: theta = keep · theta + scale · z, with z of the draw. keep is 1 where it is left out. */
export interface Perturb {
  (theta: readonly Parameter[], scale: number, draw: Draw, keep?: number): void;
  /** The law of z, as a run's header names it; without it the noise is custom, and a run cannot be repeated from its file. */
  readonly law?: Distribution;
}

function perturbWith(law: Distribution): Perturb {
  const perturb = (theta: readonly Parameter[], scale: number, { seed, step, index }: Draw, keep = 1): void => {
    const weights = theta.map(({ name, value }) => ({
      tensor: value,
      moves: [{ key: noiseKey(seed, step, name, index), scale, keep }],
    }));
    storage().move(weights, law);
  };
  return Object.assign(perturb, { law });
}

/** z standard normal, as the paper has it (Algorithm 1). */
export const gaussian: Perturb = perturbWith("gaussian");

/** z of ±1, each with probability one half: one bit a weight. */
export const rademacher: Perturb = perturbWith("rademacher");

/**
 * Changes a weight in place: `change` sees its values and those of another tensor of the same size, and writes to the first.
 * Where tensors live in the host's memory nothing is copied.
 */
export async function update(
  weight: Parameter,
  other: tf.Tensor,
  change: (theta: Float32Array, other: Float32Array) => void,
): Promise<void> {
  const { view, fill } = storage();
  if (view) return fill(weight.value, (theta) => change(theta, view(other)));
  const [theta, values] = (await Promise.all([weight.value, other].map((tensor) => tensor.data()))) as Float32Array[];
  const changed = theta!.slice(); // what was read may be a copy that TensorFlow.js keeps
  change(changed, values!);
  fill(weight.value, (into) => into.set(changed));
}

/** Changes a weight in place by its own values. Where tensors live in the host's memory nothing is copied. */
export async function rewrite({ value }: Parameter, change: (theta: Float32Array) => void): Promise<void> {
  const { view, fill } = storage();
  if (view) return fill(value, change);
  const changed = (await value.data<"float32">()).slice(); // what was read may be a copy that TensorFlow.js keeps
  change(changed);
  fill(value, (into) => into.set(changed));
}

/** Euclidean norm of all elements of some tensors together, summed in double precision. */
export async function norm(tensors: readonly tf.Tensor[]): Promise<number> {
  const { view } = storage();
  let sum = 0;
  for (const tensor of tensors) {
    const values = view ? view(tensor) : await tensor.data();
    sum += squares(values as Float32Array);
  }
  return Math.sqrt(sum);
}

/** The sum of the squares. */
function squares(values: Float32Array): number {
  if (processorLevel() !== "none") return sumSquares(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  return sum;
}

/** Zeros in the shapes and under the names of the weights, so that noise makes the same z for them. To be disposed of. */
export function zerosLike(theta: readonly Parameter[]): Parameter[] {
  return theta.map(({ name, value }) => ({ name, value: tf.zerosLike(value) }));
}

/** scale · z of one weight in a tensor of its own, to be disposed of. */
export function scaledNoise(weight: Parameter, noise: Perturb, draw: Draw, scale = 1): tf.Tensor {
  const zeros = zerosLike([weight]);
  noise(zeros, scale, draw);
  return zeros[0]!.value;
}

/** Has `write` fill all values of a float32 tensor, in place: a weight that is read from a file again, say, without a copy where it can. */
export function fillValues(tensor: tf.Tensor, write: (into: Float32Array) => void): void {
  storage().fill(tensor, write);
}
