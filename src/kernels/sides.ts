import type * as tf from "@tensorflow/tfjs-core";
import { viewTensor } from "../tensor/native/backend.ts";
import { type Scratch, withScratch } from "../tensor/native/pool.ts";
import type { View } from "../tensor/native/session.ts";
import { blank, type InTheta, type WeightInTheta } from "../tensor/pair.ts";
import type { Inputs } from "../tensor/trace.ts";

/** A weight, and what a pass beside theta knows of it where it is in theta. */
export interface FoundWeight {
  readonly tensor: tf.TensorInfo;
  readonly inTheta?: WeightInTheta | undefined;
}

/** Finds a weight among the inputs of a pass. */
export const findWeight = (tensor: tf.Tensor, inTheta: InTheta): FoundWeight => ({ tensor, inTheta: inTheta(tensor) });

/** New tensors of a shape, one a side, whose values `fill` writes with the help of scratch memory. */
export function filledSides(
  count: number,
  shape: readonly number[],
  fill: (y: readonly View[], scratch: Scratch) => void,
): tf.Tensor[] {
  const sides = Array.from({ length: count }, () => blank(shape));
  withScratch((scratch) => fill(sides.map(viewTensor), scratch));
  return sides;
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
  inputs: readonly Inputs[],
  names: readonly Name[],
  inTheta: InTheta,
  scratch: Scratch,
): Record<Name, View>[] {
  const sides = inputs.map((side) => viewInputs(side, names));
  for (const name of names) {
    const tensor = inputs[0]![name];
    const formed = tensor && formWhole(findWeight(tensor, inTheta), scratch);
    formed?.forEach((values, i) => {
      sides[i]![name] = { values, shape: tensor!.shape };
    });
  }
  return sides;
}

/** A weight on each side, if it is in theta. */
export function formWhole({ tensor, inTheta }: FoundWeight, scratch: Scratch): Float32Array[] | undefined {
  if (!inTheta) return undefined;
  const size = tensor.shape.reduce((a, b) => a * b, 1);
  const [plus, minus] = [scratch(size), scratch(size)];
  inTheta.form([{ from: 0, to: size, sides: { plus, minus } }]);
  return [plus, minus].slice(0, inTheta.sides);
}
