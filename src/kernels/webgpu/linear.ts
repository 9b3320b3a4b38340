import type * as tf from "@tensorflow/tfjs-core";
import { dispatch, output, type Shader, webgpuKernel } from "../../tensor/webgpu/dispatch.ts";
import { gpu } from "../../tensor/webgpu/gpu.ts";
import type { Activation } from "../elementwise.ts";
import { activateFunction } from "./activation.ts";
import { type FewRows, fewGroups, fewRowsProduct, MOST_FEW_ROWS, nameFew, placesFor } from "./few.ts";
import { findOperand, isWide } from "./operand.ts";
import { type Lane, laneOf, nameProduct, type TiledProduct, tiledProduct, tileGroups, tileHeight } from "./tile.ts";

/** What a product reads: x [rows, in], weight [out, in], bias [out] and residual [rows, out]. */
interface Factors {
  readonly x: tf.TensorInfo;
  readonly weight: tf.TensorInfo;
  readonly bias?: tf.TensorInfo | undefined;
  readonly residual?: tf.TensorInfo | undefined;
}

/** What follows a product, and whether it is done to four columns at a time. */
interface Ending {
  readonly hasBias: boolean;
  readonly hasResidual: boolean;
  readonly activation: Activation | undefined;
  readonly wide: boolean;
}

/** Which of the factors lie turned in their buffers: x as [in, rows], weight as [in, out]. */
interface Turned {
  readonly x?: boolean;
  readonly weight?: boolean;
}

/** y = x Wᵀ + bias, then the activation or + residual, in one dispatch: a new tensor [rows, out]. */
export function multiply(
  { x, weight, bias, residual }: Factors,
  activation?: Activation,
  turned: Turned = {},
): tf.TensorInfo {
  const [rows, inner] = turned.x ? [x.shape[1]!, x.shape[0]!] : [x.shape[0]!, x.shape[1]!];
  const columns = weight.shape[turned.weight ? 1 : 0]!;
  const y = output([rows, columns]);
  const isFew = rows <= MOST_FEW_ROWS && !turned.x && !turned.weight;
  const ending = { hasBias: !!bias, hasResidual: !!residual, activation, wide: !isFew && isWide(columns) };
  const operands = { x: findOperand(x, turned.x), w: findOperand(weight, turned.weight) };
  const call = {
    buffers: [x, weight, ...(bias ? [bias] : []), ...(residual ? [residual] : []), y],
    params: { rows: { u32: rows }, columns: { u32: columns }, inner: { u32: inner } },
  };
  if (isFew) {
    const shader = fewShader({ ...operands, places: placesFor(rows) }, ending);
    dispatch(shader, { ...call, groups: fewGroups(columns) });
  } else {
    const height = tileHeight(rows, columns, operands.x.isWide && operands.w.isWide && ending.wide);
    const shader = tileShader({ ...operands, height }, ending);
    dispatch(shader, { ...call, groups: tileGroups(height, rows, columns) });
  }
  return y;
}

const fewShader = (product: FewRows, ending: Ending): Shader => ({
  name: `${nameFew(product)} ${nameEnding(ending)}`,
  code: fewRowsProduct(product, declareEnding(ending)),
});

const tileShader = (product: TiledProduct, ending: Ending): Shader => ({
  name: `${nameProduct(product)} ${nameEnding(ending)}`,
  code: tiledProduct(product, declareEnding(ending), finishLane(laneOf(product.height), ending)),
});

/** Hands a lane's sums to `finish`. */
function finishLane({ rows, vectors, apart }: Lane, { wide }: Ending): string {
  const four = wide
    ? "finish(row + i, first, four);"
    : "for (var c = 0u; c < 4u; c++) { finish(row + i, first + c, four[c]); }";
  return `
  for (var i = 0u; i < ${rows}u; i++) {
    for (var j = 0u; j < ${vectors}u; j++) {
      let four = sums[${vectors}u * i + j];
      let first = column + ${apart}u * j;
      ${four}
    }
  }`;
}

const nameEnding = ({ hasBias, hasResidual, activation, wide }: Ending): string =>
  `${hasBias ? "bias" : ""} ${hasResidual ? "residual" : ""} ${activation ?? ""} ${wide ? "wide" : ""}`;

/** WGSL of `finish`, which writes a sum, or those of four columns, where they are within the result. */
function declareEnding({ hasBias, hasResidual, activation, wide }: Ending): string {
  const type = wide ? "vec4<f32>" : "f32";
  const names = [...(hasBias ? ["bias"] : []), ...(hasResidual ? ["residual"] : []), "y"];
  const buffers = names.map(
    (name, i) =>
      `@group(0) @binding(${i + 2}) var<storage, ${name === "y" ? "read_write" : "read"}> ${name} : array<${type}>;`,
  );
  const [width, place] = wide ? ["(params.columns / 4u)", "column / 4u"] : ["params.columns", "column"];
  const parts = wide ? ["x", "y", "z", "w"].map((part) => `activate(v.${part})`).join(", ") : "activate(v)";
  return `${buffers.join("\n")}
${activation ? activateFunction(activation) : ""}
fn finish(row : u32, column : u32, sum : ${type}) {
  if (row < params.rows && column < params.columns) {
    let at = row * ${width} + ${place};
    var v = sum;
    ${hasBias ? `v += bias[${place}];` : ""}
    ${activation ? `v = ${type}(${parts});` : ""}
    y[at] = v${hasResidual ? " + residual[at]" : ""};
  }
}`;
}

for (const operation of ["Linear", "SmoothLinear"])
  webgpuKernel(operation, ({ inputs, attrs }) =>
    multiply(inputs as unknown as Factors, attrs.activation as Activation | undefined),
  );

/** Two dispatches; the wide result in the middle is held between them alone. */
webgpuKernel("FeedForward", ({ inputs, attrs }) => {
  const { x, up, upBias, down, downBias, residual } = inputs as Record<string, tf.TensorInfo>;
  const middle = multiply({ x: x!, weight: up!, bias: upBias }, attrs.activation as Activation);
  const y = multiply({ x: middle, weight: down!, bias: downBias, residual });
  gpu().disposeData(middle.dataId);
  return y;
});
