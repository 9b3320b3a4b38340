import * as tf from "@tensorflow/tfjs-core";
import { filledTensor, findSource, NATIVE, nativeKernel, viewTensor } from "../tensor/native/backend.ts";
import { give, take } from "../tensor/native/pool.ts";
import { type Both, blank, type FormRows, pair } from "../tensor/pair.ts";
import { defineRule, fused, fusedGradient } from "../tensor/trace.ts";
import { type Activation, activate, activationGradient, activationReference } from "./elementwise.ts";
import { feedForwardByTiles, formRows, gatherColumns, readRows, type Scratch, type Side } from "./feedForwardTiles.ts";
import { linear } from "./linear.ts";

/** Weights of a layer's feed-forward part: up [wide, in] with its bias [wide], down [out, wide] with its bias [out]. */
export type FeedForwardWeights = {
  readonly up: tf.Tensor;
  readonly upBias: tf.Tensor;
  readonly down: tf.Tensor;
  readonly downBias: tf.Tensor;
};

/**
 * activation(x upᵀ + upBias) downᵀ + downBias + residual: x [rows, in] and residual [rows, out] give [rows, out]. The wide result in the
 * middle is never held whole: it is computed and used a tile of its columns at a time, and computed again for the gradient. Differentiable in
 * every input.
 */
export function feedForward(
  x: tf.Tensor,
  weights: FeedForwardWeights,
  activation: Activation,
  residual: tf.Tensor,
): tf.Tensor2D {
  return fused("FeedForward", { x, ...weights, residual }, { activation }, (given) => {
    const middle = activationReference(tf.add(tf.matMul(given.x, given.up, false, true), given.upBias), activation);
    const product = tf.add(tf.matMul(middle, given.down, false, true), given.downBias);
    return tf.add(product, given.residual) as tf.Tensor2D;
  });
}

fusedGradient("FeedForward", ["x", "up", "upBias", "down"], (dy, [x, up, upBias, down], attrs) => {
  const activation = attrs.activation as Activation;
  const before = linear(x!, up!, { bias: upBias! });
  const dBefore = tf.tidy(() => activationGradient(tf.matMul(dy, down!), before, activation));
  return {
    x: () => tf.matMul(dBefore, up!),
    up: () => tf.matMul(dBefore, x!, true, false),
    upBias: () => tf.sum(dBefore, 0),
    down: () => tf.matMul(dy, activate(before, activation), true, false),
    downBias: () => tf.sum(dy, 0),
    residual: () => tf.clone(dy),
  };
});

type Infos = Readonly<Record<string, tf.TensorInfo>>;

/** What a side reads beside the matrices. */
const makeSide = (inputs: Infos, y: Side["y"]): Side => ({
  ...{ x: viewTensor(inputs.x!), residual: viewTensor(inputs.residual!), y },
  ...{ upBias: viewTensor(inputs.upBias!), downBias: viewTensor(inputs.downBias!) },
});

nativeKernel("FeedForward", ({ inputs, attrs }) =>
  filledTensor(inputs.residual!.shape, (y) =>
    withScratch((scratch) => {
      const { up, down } = inputs;
      feedForwardByTiles([makeSide(inputs, y)], attrs.activation as Activation, up!.shape[0]!, (most) => ({
        up: readRows(findSource(up!), up!.shape[1]!, most, scratch),
        down: gatherColumns([findSource(down!)], down!.shape[1]!, most, scratch),
      }));
    }),
  ),
);

/** Both sides a tile at a time: of `up` in theta only the tile's rows are formed. */
defineRule(pair, "FeedForward", NATIVE, ({ plus, minus }, formed, attrs) => {
  if (formed(plus.x!) || formed(plus.residual!)) return undefined; // no weights in any network
  const both: Both = { plus: blank(plus.residual!.shape), minus: blank(plus.residual!.shape) };
  withScratch((scratch) => {
    const sides = [plus, minus].map((inputs, i) => makeSide(inputs, viewTensor(i === 0 ? both.plus : both.minus)));
    for (const name of ["upBias", "downBias"] as const) formBias(plus[name]!, name, sides, formed, scratch);
    const { up, down } = plus;
    const formUp = formed(up!);
    feedForwardByTiles(sides, attrs.activation as Activation, up!.shape[0]!, (most) => ({
      up: formUp
        ? formRows(formUp, up!.shape[1]!, most, scratch)
        : readRows(findSource(up!), up!.shape[1]!, most, scratch),
      down: gatherColumns(formWhole(down!, formed, scratch) ?? [findSource(down!)], down!.shape[1]!, most, scratch),
    }));
  });
  return both;
});

/** Both sides of a weight, if it is in theta. */
function formWhole(weight: tf.Tensor, formed: FormRows, scratch: Scratch): [Float32Array, Float32Array] | undefined {
  const form = formed(weight);
  if (!form) return undefined;
  const [plus, minus] = [scratch(weight.size), scratch(weight.size)];
  form([{ from: 0, to: weight.size, sides: { plus, minus } }]);
  return [plus, minus];
}

function formBias(
  bias: tf.Tensor,
  name: "upBias" | "downBias",
  sides: Side[],
  formed: FormRows,
  scratch: Scratch,
): void {
  const values = formWhole(bias, formed, scratch);
  if (!values) return;
  sides.forEach((side, i) => {
    sides[i] = { ...side, [name]: { values: values[i]!, shape: bias.shape } };
  });
}

/** Calls `use` with what takes arrays from the pool, and gives them back. */
function withScratch(use: (scratch: Scratch) => void): void {
  const taken: Float32Array[] = [];
  try {
    use((size) => {
      const array = take(size);
      taken.push(array);
      return array;
    });
  } finally {
    for (const array of taken) give(array);
  }
}
