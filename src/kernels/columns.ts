import * as tf from "@tensorflow/tfjs-core";
import { filledTensor, nativeKernel, viewTensor } from "../tensor/native/backend.ts";
import { fused, fusedGradient } from "../tensor/trace.ts";

/** Columns `from` up to `to` of x [rows, width]: one of the parts of a product that several maps share. Differentiable. */
export function columns(x: tf.Tensor, from: number, to: number): tf.Tensor2D {
  return fused("Columns", { x }, { from, to, width: x.shape[1]! }, ({ x }) => {
    return tf.slice(x, [0, from], [-1, to - from]) as tf.Tensor2D;
  });
}

fusedGradient("Columns", [], (dy, _saved, attrs) => {
  const { from, to, width } = attrs as Readonly<Record<string, number>>;
  return {
    x: () =>
      tf.pad(dy, [
        [0, 0],
        [from!, width! - to!],
      ]),
  };
});

nativeKernel("Columns", ({ inputs, attrs }) => {
  const { values, shape } = viewTensor(inputs.x!);
  const { from, to, width } = attrs as { readonly from: number; readonly to: number; readonly width: number };
  return filledTensor([shape[0]!, to - from], ({ values: y }) => {
    for (let row = 0; row < shape[0]!; row++)
      y.set(values.subarray(row * width + from, row * width + to), row * (to - from));
  });
});
