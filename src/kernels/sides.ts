import type * as tf from "@tensorflow/tfjs-core";
import { viewTensor } from "../tensor/native/backend.ts";
import { type Scratch, withScratch } from "../tensor/native/pool.ts";
import type { View } from "../tensor/native/session.ts";
import { type Both, blank, type InTheta, type WeightInTheta } from "../tensor/pair.ts";
import type { Inputs } from "../tensor/trace.ts";

/** A weight, and what a pass over both sides knows of it where it is in theta. */
export interface FoundWeight {
  readonly tensor: tf.TensorInfo;
  readonly inTheta?: WeightInTheta | undefined;
}

/** Finds a weight among the inputs of a pass. */
export const findWeight = (tensor: tf.Tensor, inTheta: InTheta): FoundWeight => ({ tensor, inTheta: inTheta(tensor) });

/** New tensors of a shape, one a side, whose values `fill` writes with the help of scratch memory. */
export function filledSides(
  shape: readonly number[],
  fill: (y: readonly [plus: View, minus: View], scratch: Scratch) => void,
): Both {
  const both: Both = { plus: blank(shape), minus: blank(shape) };
  withScratch((scratch) => fill([viewTensor(both.plus), viewTensor(both.minus)], scratch));
  return both;
}

/** The inputs of those names that are there, where they are. */
export function viewInputs<Name extends string>(
  inputs: Readonly<Record<string, tf.TensorInfo>>,
  names: readonly Name[],
): Record<Name, View> {
  const given = names.filter((name) => inputs[name]);
  return Object.fromEntries(given.map((name) => [name, viewTensor(inputs[name]!)])) as Record<Name, View>;
}

/** The same as each side sees them: those in theta, which are small ones, are formed whole. */
export function viewSides<Name extends string>(
  { plus, minus }: Both<Inputs>,
  names: readonly Name[],
  inTheta: InTheta,
  scratch: Scratch,
): [plus: Record<Name, View>, minus: Record<Name, View>] {
  const sides = [viewInputs(plus, names), viewInputs(minus, names)] as [Record<Name, View>, Record<Name, View>];
  for (const name of names) {
    const formed = plus[name] && formWhole(findWeight(plus[name], inTheta), scratch);
    formed?.forEach((values, i) => {
      sides[i]![name] = { values, shape: plus[name]!.shape };
    });
  }
  return sides;
}

/** Both sides of a weight, if it is in theta. */
export function formWhole(
  { tensor, inTheta }: FoundWeight,
  scratch: Scratch,
): [plus: Float32Array, minus: Float32Array] | undefined {
  if (!inTheta) return undefined;
  const size = tensor.shape.reduce((a, b) => a * b, 1);
  const [plus, minus] = [scratch(size), scratch(size)];
  inTheta.form([{ from: 0, to: size, sides: { plus, minus } }]);
  return [plus, minus];
}
