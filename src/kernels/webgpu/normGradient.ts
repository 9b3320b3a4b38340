import * as tf from "@tensorflow/tfjs-core";
import { defineGradient, type OwnGradient } from "../../tensor/trace.ts";
import { dispatch, flatGroups, output, type Shader } from "../../tensor/webgpu/dispatch.ts";
import { gpu, WEBGPU } from "../../tensor/webgpu/gpu.ts";
import { formatOf, type GpuFormat, loadWeight, weightType } from "../../tensor/webgpu/halves.ts";
import { eachColumn, standardize } from "./norm.ts";
import { declare, main, SUM_COLUMNS, sumRowsMain, TOTAL } from "./rows.ts";

/** Of a row: dx = scale (dn − mean(dn) − n mean(dn ∘ n)) with n the row normalized and dn = dy ∘ gain, and the row's mean and scale. */
const ofRows = (format: GpuFormat, isCentred: boolean): Shader => ({
  name: `norm gradient ${isCentred} ${format}`,
  code: `${declare({ x: "f32", weight: weightType(format), dy: "f32" }, { dx: "f32", moments: "vec2<f32>" })}${TOTAL}
${loadWeight(format, "weight")}${main(`
  if (unit >= params.rows) { return; }
  ${standardize(isCentred)}
  var ownMean = 0.0;
  own = 0.0;
  ${eachColumn("let d = dy[first + i] * weightAt(i); ownMean += d; own += d * (x[first + i] - mean) * scale;")}
  let along = total(own, lane) / f32(params.width);
  let dMean = ${isCentred ? "total(ownMean, lane) / f32(params.width)" : "0.0"};
  ${eachColumn("dx[first + i] = scale * (dy[first + i] * weightAt(i) - dMean - (x[first + i] - mean) * scale * along);")}
  if (lane == 0u) { moments[unit] = vec2<f32>(mean, scale); }`)}`,
});

/** Of columns: dGain = Σ dy ∘ n and dShift = Σ dy over the rows. */
const ofColumns: Shader = {
  name: "norm gradient of columns",
  code:
    declare({ x: "f32", dy: "f32", moments: "vec2<f32>" }, { dWeight: "f32", dBias: "f32" }) +
    sumRowsMain(
      "vec2<f32>",
      "vec2<f32>(dy[at] * (x[at] - moments[row].x) * moments[row].y, dy[at])",
      "dWeight[column] = own.x; dBias[column] = own.y;",
    ),
};

const normGradient =
  (isCentred: boolean): OwnGradient =>
  (dy, [x, weight], { epsilon }) => {
    const width = weight!.shape[0]!;
    const rows = x!.size / width;
    const sizes = { rows: { u32: rows }, width: { u32: width } };
    const [dx, moments] = [output(x!.shape), output([rows, 2])];
    const [dWeight, dBias] = [output([width]), output([width])];
    dispatch(ofRows(formatOf(weight!), isCentred), {
      buffers: [x!, weight!, dy, dx, moments],
      params: { ...sizes, epsilon: { f32: epsilon as number } },
      groups: flatGroups(rows),
    });
    dispatch(ofColumns, {
      buffers: [x!, dy, moments, dWeight, dBias],
      params: sizes,
      groups: flatGroups(Math.ceil(width / SUM_COLUMNS)),
    });
    gpu().disposeData(moments.dataId);
    const [inX, inWeight, inBias] = [dx, dWeight, dBias].map((made) => tf.engine().makeTensorFromTensorInfo(made));
    return { x: () => inX!, weight: () => inWeight!, ...(isCentred && { bias: () => inBias! }) };
  };

defineGradient("LayerNorm", WEBGPU, normGradient(true));
defineGradient("RmsNorm", WEBGPU, normGradient(false));
