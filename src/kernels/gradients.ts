import * as tf from "@tensorflow/tfjs-core";
import { hasLibrary, NATIVE, viewTensor } from "../tensor/native/backend.ts";
import { blank } from "../tensor/pair.ts";
import { defineGradient, type OwnGradient } from "../tensor/trace.ts";
import type { Activation } from "../tensor/x86/activations.ts";
import { activationGradient, attentionGradient, normGradient } from "../tensor/x86/gradients.ts";
import type { AttentionSizes } from "../tensor/x86/rows.ts";

// Gradients by the kit's own library, in one pass each, where there is one.

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

/** The gradient in each input of a norm: of rows less their mean, with a bias, or of rows over their root mean square. */
function normGradients(isCentred: boolean): OwnGradient {
  return (dy, [x, weight], { epsilon }) => {
    if (!hasLibrary()) return undefined;
    const shapes = { dx: x!.shape, dWeight: weight!.shape, ...(isCentred && { dBias: weight!.shape }) };
    const { dx, dWeight, dBias } = filled({ x: x!, weight: weight!, dy }, shapes, (all) => {
      const [of, into] = [
        { x: all.x!, weight: all.weight!, dy: all.dy!, epsilon: epsilon as number },
        { dx: all.dx!, dWeight: all.dWeight! },
      ];
      normGradient(of, all.dBias ? { ...into, dBias: all.dBias } : into);
    });
    return { x: () => dx!, weight: () => dWeight!, ...(dBias && { bias: () => dBias }) };
  };
}

defineGradient("LayerNorm", NATIVE, normGradients(true));
defineGradient("RmsNorm", NATIVE, normGradients(false));

/** dy times an activation's slope at x; undefined without the library, and on another backend. */
export function activationGradientInLibrary(
  dy: tf.Tensor,
  x: tf.Tensor,
  activation: Activation,
): tf.Tensor | undefined {
  if (!hasLibrary() || tf.getBackend() !== NATIVE) return undefined;
  const { dx } = filled({ dy, x }, { dx: x.shape }, ({ dy, x, dx }) => activationGradient(activation, dy!, x!, dx!));
  return dx!;
}

defineGradient("Attention", NATIVE, (dy, [q, k, v], attrs) => {
  if (!hasLibrary()) return undefined;
  const shape = attrs as unknown as Omit<AttentionSizes, "keyHeads" | "width">;
  const width = q!.shape[1]! / shape.heads;
  const shapes = { dq: q!.shape, dk: k!.shape, dv: v!.shape };
  const { dq, dk, dv } = filled({ q: q!, k: k!, v: v!, dy }, shapes, (all) => {
    const [of, into] = [
      { q: all.q!, k: all.k!, v: all.v!, dy: all.dy! },
      { dq: all.dq!, dk: all.dk!, dv: all.dv! },
    ];
    attentionGradient(of, into, { ...shape, keyHeads: k!.shape[1]! / width, width });
  });
  return { q: () => dq!, k: () => dk!, v: () => dv! };
});
