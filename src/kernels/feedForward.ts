import * as tf from "@tensorflow/tfjs-core";
import { filledTensor, NATIVE, nativeKernel } from "../tensor/native/backend.ts";
import { withScratch } from "../tensor/native/pool.ts";
import { pair } from "../tensor/pair.ts";
import { defineRule, fused, fusedGradient } from "../tensor/trace.ts";
import { type Activation, activate, activationGradient, activationReference } from "./elementwise.ts";
import { feedForwardByTiles } from "./feedForwardTiles.ts";
import { linear } from "./linear.ts";
import { filledSides, findWeight, viewInputs, viewSides } from "./sides.ts";

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

/** What a side reads beside the matrices. */
const BESIDE = ["x", "upBias", "downBias", "residual"] as const;

nativeKernel("FeedForward", ({ inputs, attrs }) =>
  filledTensor(inputs.residual!.shape, (y) =>
    withScratch((scratch) => {
      const weights = { up: { tensor: inputs.up! }, down: { tensor: inputs.down! } };
      const side = { ...viewInputs(inputs, BESIDE), y };
      feedForwardByTiles([side], attrs.activation as Activation, weights, scratch);
    }),
  ),
);

defineRule(pair, "FeedForward", NATIVE, (inputs, inTheta, attrs) =>
  filledSides(inputs.length, inputs[0]!.residual!.shape, (y, scratch) => {
    const { up, down } = inputs[0]!;
    const weights = { up: findWeight(up!, inTheta), down: findWeight(down!, inTheta) };
    const sides = viewSides(inputs, BESIDE, inTheta, scratch).map((side, i) => ({ ...side, y: y[i]! }));
    feedForwardByTiles(sides, attrs.activation as Activation, weights, scratch);
  }),
);
