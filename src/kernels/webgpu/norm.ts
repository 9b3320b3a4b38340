import * as tf from "@tensorflow/tfjs-core";
import {
  dispatch,
  flatGroups,
  type KernelCall,
  output,
  type Shader,
  webgpuKernel,
} from "../../tensor/webgpu/dispatch.ts";
import { formatOf, type GpuFormat, loadWeight, weightType } from "../../tensor/webgpu/halves.ts";
import { declare, LANES, main, TOTAL } from "./rows.ts";

/** WGSL: a statement for each of the lane's columns. */
export const eachColumn = (statement: string): string =>
  `for (var i = lane; i < params.width; i += ${LANES}u) { ${statement} }`;

/** WGSL: the mean of a row, where it is taken away before, and one over the root of the mean square of what remains, as a lane finds them. */
export const standardize = (isCentred: boolean): string => `
  let first = unit * params.width;
  var own = 0.0;
  ${isCentred ? `${eachColumn("own += x[first + i];")}\n  let mean = total(own, lane) / f32(params.width);` : "let mean = 0.0;"}
  own = 0.0;
  ${eachColumn("let d = x[first + i] - mean; own += d * d;")}
  let scale = inverseSqrt(total(own, lane) / f32(params.width) + params.epsilon);`;

/**
 * A workgroup has a row; `formats` are those of the gain and, of a layer norm, the shift. The variance is that of the row less its mean, so
 * that a large mean costs no digits.
 */
const norm = (formats: Readonly<Record<string, GpuFormat>>): Shader => {
  const isCentred = formats.bias !== undefined;
  const weights = Object.entries(formats);
  const types = Object.fromEntries(weights.map(([name, format]) => [name, weightType(format)]));
  return {
    name: `norm ${Object.values(formats)}`,
    code: `${declare({ x: "f32", ...types }, { y: "f32" })}${TOTAL}
${weights.map(([name, format]) => loadWeight(format, name, name)).join("")}${main(`
  if (unit >= params.rows) { return; }
  ${standardize(isCentred)}
  ${eachColumn(`y[first + i] = (x[first + i] - mean) * scale * weightAt(i)${isCentred ? " + biasAt(i)" : ""};`)}`)}`,
  };
};

/** Norms rows of x that are as wide as the gain: all of a row, or a head of it. */
function runNorm({ inputs: { x, ...weights }, attrs }: KernelCall): tf.TensorInfo {
  const width = weights.weight!.shape[0]!;
  const rows = tf.util.sizeFromShape(x!.shape) / width;
  const y = output(x!.shape);
  const formats = Object.entries(weights).map(([name, weight]) => [name, formatOf(weight)]);
  dispatch(norm(Object.fromEntries(formats)), {
    buffers: [x!, ...Object.values(weights), y],
    params: { rows: { u32: rows }, width: { u32: width }, epsilon: { f32: attrs.epsilon as number } },
    groups: flatGroups(rows),
  });
  return y;
}

webgpuKernel("LayerNorm", runNorm);
webgpuKernel("RmsNorm", runNorm);
