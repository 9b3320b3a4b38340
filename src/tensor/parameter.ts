import * as tf from "@tensorflow/tfjs-core";
import { storage } from "./backend.ts";
import { type Distribution, type Factors, type Mask, type NoiseKey, noiseKey } from "./noise/key.ts";
import type { WeightMoves } from "./storage.ts";
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
  /** By weight the elements that z is for, where it is 0 at the others; without it z is for all. */
  readonly masks?: ReadonlyMap<string, Mask>;
}

/** What a weight's z of a draw is made from. */
export function keyOf({ seed, step, index, masks }: Draw, name: string): NoiseKey {
  const mask = masks?.get(name);
  return { ...noiseKey(seed, step, name, index), ...(mask && { mask }) };
}

/** In place, for every weight: theta = keep · theta + scale · z, with z of the draw. keep is 1 where it is left out. */
export interface Perturb {
  (theta: readonly Parameter[], scale: number, draw: Draw, keep?: number): void;
  /** The law of z, as a run's header names it; without it the noise is custom, and a run cannot be repeated from its file. */
  readonly law?: Law;
}

/** What z is drawn from: a distribution, or by weight the factors of a z of low rank, where weights without have a standard normal one. */
export type Law =
  | Distribution
  | { readonly factorsOf: (theta: readonly Parameter[], draw: Draw) => ReadonlyMap<string, Factors> };

/** Which z, how much of it is added, and what is kept of the weight. */
interface Along {
  readonly scale: number;
  readonly draw: Draw;
  readonly keep: number;
}

/** What becomes of each weight that moves along z. */
export function movesOf(law: Law, theta: readonly Parameter[], { scale, draw, keep }: Along): WeightMoves[] {
  const known = typeof law === "string" ? undefined : law.factorsOf(theta, draw);
  return theta.map(({ name, value }) => {
    const factors = known?.get(name);
    return { tensor: value, moves: [{ key: keyOf(draw, name), scale, keep, ...(factors && { factors }) }] };
  });
}

/** The law of weights without factors. */
export const denseLaw = (law: Law): Distribution => (typeof law === "string" ? law : "gaussian");

function perturbWith(law: Distribution): Perturb {
  const perturb = (theta: readonly Parameter[], scale: number, draw: Draw, keep = 1): void => {
    const weights = theta.map(({ name, value }) => ({
      tensor: value,
      moves: [{ key: keyOf(draw, name), scale, keep }],
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
  const theta = await readValues(weight.value);
  change(theta, await readValues(other));
  fill(weight.value, (into) => into.set(theta));
}

/** Changes a weight in place by its own values. Where tensors live in the host's memory nothing is copied. */
export async function rewrite({ value }: Parameter, change: (theta: Float32Array) => void): Promise<void> {
  const { view, fill } = storage();
  if (view) return fill(value, change);
  const theta = await readValues(value);
  change(theta);
  fill(value, (into) => into.set(theta));
}

/** All values of a float32 tensor: in place where they lie in the host's memory, and then to be read only; elsewhere a copy. */
export async function readValues(tensor: tf.Tensor): Promise<Float32Array> {
  return storage().view?.(tensor) ?? copyValues(tensor, new Float32Array(tensor.size));
}

/** Copies all values of a float32 tensor, and gives what they were copied into. */
export async function copyValues(tensor: tf.Tensor, into: Float32Array): Promise<Float32Array> {
  let at = 0;
  for await (const values of storage().read(tensor)) {
    into.set(values, at);
    at += values.length;
  }
  return into;
}

/** Euclidean norm of all elements of some tensors together, summed in double precision. */
export async function norm(tensors: readonly tf.Tensor[]): Promise<number> {
  let sum = 0;
  for (const tensor of tensors) sum += squares(await readValues(tensor));
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
