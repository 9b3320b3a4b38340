import type * as tf from "@tensorflow/tfjs-core";
import {
  dispatch,
  flatGroups,
  type KernelCall,
  output,
  type Shader,
  webgpuKernel,
} from "../../tensor/webgpu/dispatch.ts";
import { declare, LANES, main, TOTAL } from "./rows.ts";

const eachColumn = (statement: string): string =>
  `for (var i = lane; i < params.width; i += ${LANES}u) { ${statement} }`;

/** A workgroup has a row. The variance is that of the row less its mean, so that a large mean costs no digits. */
const LAYER_NORM = `${declare({ x: "f32", weight: "f32", bias: "f32" }, { y: "f32" })}${TOTAL}${main(`
  if (unit >= params.rows) { return; }
  let first = unit * params.width;
  var own = 0.0;
  ${eachColumn("own += x[first + i];")}
  let mean = total(own, lane) / f32(params.width);
  own = 0.0;
  ${eachColumn("let d = x[first + i] - mean; own += d * d;")}
  let scale = inverseSqrt(total(own, lane) / f32(params.width) + params.epsilon);
  ${eachColumn("y[first + i] = (x[first + i] - mean) * scale * weight[i] + bias[i];")}`)}`;

const RMS_NORM = `${declare({ x: "f32", weight: "f32" }, { y: "f32" })}${TOTAL}${main(`
  if (unit >= params.rows) { return; }
  let first = unit * params.width;
  var own = 0.0;
  ${eachColumn("own += x[first + i] * x[first + i];")}
  let scale = inverseSqrt(total(own, lane) / f32(params.width) + params.epsilon);
  ${eachColumn("y[first + i] = x[first + i] * scale * weight[i];")}`)}`;

/** Norms rows of x that are as wide as the gain: all of a row, or a head of it. */
function runNorm(shader: Shader, { inputs, attrs }: KernelCall, names: readonly string[]): tf.TensorInfo {
  const [x, width] = [inputs.x!, inputs.weight!.shape[0]!];
  const rows = x.shape.reduce((a, b) => a * b, 1) / width;
  const y = output(x.shape);
  dispatch(shader, {
    buffers: [...names.map((name) => inputs[name]!), y],
    params: { rows: { u32: rows }, width: { u32: width }, epsilon: { f32: attrs.epsilon as number } },
    groups: flatGroups(rows),
  });
  return y;
}

webgpuKernel("LayerNorm", (call) => runNorm({ name: "layerNorm", code: LAYER_NORM }, call, ["x", "weight", "bias"]));
webgpuKernel("RmsNorm", (call) => runNorm({ name: "rmsNorm", code: RMS_NORM }, call, ["x", "weight"]));
