import * as tf from "@tensorflow/tfjs-core";
import { defineGradient } from "../../tensor/trace.ts";
import { dispatch, flatGroups, output, type Shader } from "../../tensor/webgpu/dispatch.ts";
import { WEBGPU } from "../../tensor/webgpu/gpu.ts";
import { type Activation, activate, activationGradient } from "../elementwise.ts";
import { linear } from "../linear.ts";
import { multiply } from "./linear.ts";
import { declare, SUM_COLUMNS, sumRowsMain } from "./rows.ts";

/** The product a b of a [n, k] and b [k, m]. */
const times = (a: tf.Tensor, b: tf.Tensor): tf.Tensor =>
  tf.engine().makeTensorFromTensorInfo(multiply({ x: a, weight: b }, undefined, { weight: true }));

/** The product aᵀ b of a [k, n] and b [k, m]. */
const turnedTimes = (a: tf.Tensor, b: tf.Tensor): tf.Tensor =>
  tf.engine().makeTensorFromTensorInfo(multiply({ x: a, weight: b }, undefined, { x: true, weight: true }));

const SUM: Shader = {
  name: "sum of rows",
  code: declare({ x: "f32" }, { sum: "f32" }) + sumRowsMain("f32", "x[at]", "sum[column] = own;"),
};

/** The sum of the rows of x [rows, width]: [width]. */
function sumRows(x: tf.Tensor): tf.Tensor {
  const [rows, width] = x.shape as [number, number];
  const sum = output([width]);
  dispatch(SUM, {
    buffers: [x, sum],
    params: { rows: { u32: rows }, width: { u32: width } },
    groups: flatGroups(Math.ceil(width / SUM_COLUMNS)),
  });
  return tf.engine().makeTensorFromTensorInfo(sum);
}

defineGradient("Linear", WEBGPU, (dy, [x, weight, y], { activation }) => {
  const dProduct = activation ? activationGradient(dy, y!, activation as Activation) : dy; // a ReLU passes on where its result is positive
  return {
    x: () => times(dProduct, weight!),
    weight: () => turnedTimes(dProduct, x!),
    bias: () => sumRows(dProduct),
    residual: () => tf.clone(dy),
  };
});

defineGradient("SmoothLinear", WEBGPU, (dy, [x, weight, bias], { activation }) => {
  const dProduct = activationGradient(dy, linear(x!, weight!, { bias: bias! }), activation as Activation);
  return {
    x: () => times(dProduct, weight!),
    weight: () => turnedTimes(dProduct, x!),
    bias: () => sumRows(dProduct),
  };
});

defineGradient("FeedForward", WEBGPU, (dy, [x, up, upBias, down], attrs) => {
  const activation = attrs.activation as Activation;
  const before = linear(x!, up!, { bias: upBias! });
  const dBefore = tf.tidy(() => activationGradient(times(dy, down!), before, activation));
  return {
    x: () => times(dBefore, up!),
    up: () => turnedTimes(dBefore, x!),
    upBias: () => sumRows(dBefore),
    down: () => turnedTimes(dy, activate(before, activation)),
    downBias: () => sumRows(dy),
    residual: () => tf.clone(dy),
  };
});

defineGradient("TokenLogProbs", WEBGPU, (dy, [features, table, ids, bias]) => {
  const chosen = tf.oneHot(ids as tf.Tensor1D, table!.shape[0]!);
  const weights = tf.softmax(linear(features!, table!, { bias: bias! }));
  const dLogits = tf.mul(tf.sub(chosen, weights), tf.expandDims(dy, -1));
  return {
    features: () => times(dLogits, table!),
    table: () => turnedTimes(dLogits, features!),
    bias: () => sumRows(dLogits),
  };
});
