import * as tf from "@tensorflow/tfjs-core";
import { filledTensor, hasLibrary, nativeKernel, runInLibrary, viewTensor } from "../tensor/native/backend.ts";
import { fused, fusedGradient } from "../tensor/trace.ts";
import { turnPairs } from "../tensor/x86/rows.ts";

/** The angles by which each row's pairs are turned: their cosines and sines, [rows, pairs] flat. */
export interface Angles {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
  /** Pairs of a head: half its width. */
  readonly pairs: number;
}

/**
 * Rotary positions (Su et al. 2021) as Llama's checkpoints want them: in each head of x [rows, heads * 2 pairs] the element i of the first
 * half and i of the second are a pair, turned by the row's angle i. Differentiable in x.
 */
export function rotary(x: tf.Tensor, angles: Angles): tf.Tensor2D {
  return fused("Rotary", { x }, { angles }, ({ x }) => {
    const [rows, width] = x.shape as [number, number];
    const { pairs } = angles;
    const halves = tf.unstack(tf.reshape(x, [rows, width / (2 * pairs), 2, pairs]), 2);
    const [cos, sin] = [angles.cos, angles.sin].map((values) => tf.tensor3d(values, [rows, 1, pairs]));
    const [a, b] = halves as [tf.Tensor, tf.Tensor];
    const turned = [tf.sub(tf.mul(a, cos!), tf.mul(b, sin!)), tf.add(tf.mul(b, cos!), tf.mul(a, sin!))];
    return tf.reshape(tf.stack(turned, 2), [rows, width]) as tf.Tensor2D;
  });
}

fusedGradient("Rotary", [], (dy, _saved, attrs) => ({ x: () => rotary(dy, turnBack(attrs.angles as Angles)) }));

const back = new WeakMap<Angles, Angles>();

/** The angles the other way round: computed once, as they are for all layers. */
function turnBack(angles: Angles): Angles {
  const known = back.get(angles) ?? { ...angles, sin: angles.sin.map((v) => -v) };
  back.set(angles, known);
  return known;
}

nativeKernel("Rotary", ({ inputs, attrs }) => {
  const { cos, sin, pairs } = attrs.angles as Angles;
  if (hasLibrary()) return runInLibrary(inputs, inputs.x!.shape, ({ x }, y) => turnPairs(x!, cos, sin, pairs, y));
  const { values: x, shape } = viewTensor(inputs.x!);
  const [rows, width] = shape as [number, number];
  return filledTensor([rows, width], ({ values: y }) => {
    for (let row = 0; row < rows; row++)
      for (let head = row * width; head < (row + 1) * width; head += 2 * pairs)
        for (let i = 0; i < pairs; i++) {
          const [c, s] = [cos[row * pairs + i]!, sin[row * pairs + i]!];
          const [a, b] = [x[head + i]!, x[head + pairs + i]!];
          y[head + i] = a * c - b * s;
          y[head + pairs + i] = b * c + a * s;
        }
  });
});
