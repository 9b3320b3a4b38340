import * as tf from "@tensorflow/tfjs-core";
import { hasLibrary, NATIVE, viewTensor } from "../tensor/native/backend.ts";
import { blank } from "../tensor/pair.ts";
import type { Activation } from "../tensor/x86/activations.ts";
import { activationGradient, attentionGradient, normGradient } from "../tensor/x86/gradients.ts";
import type { AttentionSizes } from "../tensor/x86/rows.ts";

// Gradients by the kit's own library, in one pass each; they are undefined where there is none, or tensors lie on another backend.

const isHere = (): boolean => hasLibrary() && tf.getBackend() === NATIVE;

type ByName<T> = Readonly<Record<string, T>>;

/** Has `work` write tensors of the given shapes from others. */
function filled(
  inputs: ByName<tf.Tensor>,
  shapes: ByName<number[]>,
  work: (values: ByName<Float32Array>) => void,
): ByName<tf.Tensor> {
  const outputs = mapValues(shapes, (shape) => blank(shape));
  work(mapValues({ ...inputs, ...outputs }, (tensor) => viewTensor(tensor).values as Float32Array));
  return outputs;
}

const mapValues = <T, R>(record: ByName<T>, change: (value: T) => R): ByName<R> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));

/** Of which norm: of rows less their mean, with a bias, or of rows over their root mean square. */
export interface NormKind {
  readonly epsilon: number;
  readonly isCentred: boolean;
}

/** For each input of a norm of rows that are as wide as the gain `weight`, a function that gives the gradient in it. */
export function normGradients(
  dy: tf.Tensor,
  x: tf.Tensor,
  weight: tf.Tensor,
  { epsilon, isCentred }: NormKind,
): Record<string, () => tf.Tensor> | undefined {
  if (!isHere()) return undefined;
  const shapes = { dx: x.shape, dWeight: weight.shape, ...(isCentred && { dBias: weight.shape }) };
  const { dx, dWeight, dBias } = filled({ x, weight, dy }, shapes, (all) => {
    const [of, into] = [
      { x: all.x!, weight: all.weight!, dy: all.dy!, epsilon },
      { dx: all.dx!, dWeight: all.dWeight! },
    ];
    normGradient(of, all.dBias ? { ...into, dBias: all.dBias } : into);
  });
  return { x: () => dx!, weight: () => dWeight!, ...(dBias && { bias: () => dBias }) };
}

/** dy times an activation's slope at x. */
export function activationGradientInLibrary(
  dy: tf.Tensor,
  x: tf.Tensor,
  activation: Activation,
): tf.Tensor | undefined {
  if (!isHere()) return undefined;
  const { dx } = filled({ dy, x }, { dx: x.shape }, ({ dy, x, dx }) => activationGradient(activation, dy!, x!, dx!));
  return dx!;
}

/** For each input of attention, q, k and v, a function that gives the gradient in it. */
export function attentionGradients(
  dy: tf.Tensor,
  [q, k, v]: readonly tf.Tensor[],
  sizes: AttentionSizes,
): Record<string, () => tf.Tensor> | undefined {
  if (!isHere()) return undefined;
  const shapes = { dq: q!.shape, dk: k!.shape, dv: v!.shape };
  const { dq, dk, dv } = filled({ q: q!, k: k!, v: v!, dy }, shapes, (all) => {
    const [of, into] = [
      { q: all.q!, k: all.k!, v: all.v!, dy: all.dy! },
      { dq: all.dq!, dk: all.dk!, dv: all.dv! },
    ];
    attentionGradient(of, into, sizes);
  });
  return { q: () => dq!, k: () => dk!, v: () => dv! };
}
