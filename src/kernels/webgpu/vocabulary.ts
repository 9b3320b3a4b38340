import type * as tf from "@tensorflow/tfjs-core";
import { dispatch, output, type Shader, webgpuKernel } from "../../tensor/webgpu/dispatch.ts";
import { gpu } from "../../tensor/webgpu/gpu.ts";
import { findOperand } from "./operand.ts";
import { laneOf, nameProduct, type TiledProduct, tiledProduct, tileGroups, tileHeight } from "./tile.ts";

// Each workgroup makes the logits of a tile of rows and tokens, and leaves of each row a pair of numbers, which a second dispatch joins over
// the vocabulary's tiles: neither the logits nor one row of them are ever held.

/** What is kept of some logits of a row, a pair of numbers: WGSL's `one(logit, token)` makes it of one, `join(a, b)` of two. */
interface Fold {
  readonly name: string;
  readonly code: string;
}

/** Below every logit, and far enough from float32's end that differences are finite. */
const LOWEST = "-1e30";

/** Of logits the highest, and the sum of their exponentials over its own. */
const LOG_SUM: Fold = {
  name: "logSum",
  code: `
fn one(logit : f32, token : u32) -> vec2<f32> { return vec2(logit, 1.0); }
fn join(a : vec2<f32>, b : vec2<f32>) -> vec2<f32> {
  let top = max(a.x, b.x);
  return vec2(top, a.y * exp(a.x - top) + b.y * exp(b.x - top));
}`,
};

/** Of logits the highest, and its token: the first of equals. */
const BEST: Fold = {
  name: "best",
  code: `
fn one(logit : f32, token : u32) -> vec2<f32> { return vec2(logit, f32(token)); }
fn join(a : vec2<f32>, b : vec2<f32>) -> vec2<f32> {
  return select(a, b, b.x > a.x || (b.x == a.x && b.y < a.y));
}`,
};

/** The output matrix [vocabulary, width], what it is multiplied by, and the bias [vocabulary] of models that have one. */
interface Logits {
  readonly features: tf.TensorInfo;
  readonly table: tf.TensorInfo;
  readonly bias?: tf.TensorInfo | undefined;
}

/** The pairs [rows, tiles, 2] of each row's tiles; with ids [rows], the logit of each row's own token goes to `picked` [rows]. */
function foldTiles(
  fold: Fold,
  { features, table, bias }: Logits,
  own?: { readonly ids: tf.TensorInfo; readonly picked: tf.TensorInfo },
): tf.TensorInfo {
  const [rows, columns, inner] = [features.shape[0]!, table.shape[0]!, features.shape[1]!];
  const operands = { x: findOperand(features), w: findOperand(table) };
  const height = tileHeight(rows, columns, operands.x.isWide && operands.w.isWide);
  const groups = tileGroups(height, rows, columns);
  const pairs = output([rows, groups[1], 2]);
  const product = { ...operands, height };
  dispatch(tileShader(fold, product, { hasBias: !!bias, picks: !!own }), {
    buffers: [features, table, pairs, ...(bias ? [bias] : []), ...(own ? [own.ids, own.picked] : [])],
    params: { rows: { u32: rows }, columns: { u32: columns }, inner: { u32: inner }, tiles: { u32: groups[1] } },
    groups,
  });
  return pairs;
}

interface Kind {
  readonly hasBias: boolean;
  readonly picks: boolean;
}

function tileShader(fold: Fold, product: TiledProduct, { hasBias, picks }: Kind): Shader {
  const extras = [
    ...(hasBias ? ["var<storage, read> bias : array<f32>;"] : []),
    ...(picks ? ["var<storage, read> ids : array<i32>;", "var<storage, read_write> picked : array<f32>;"] : []),
  ];
  const declarations = `
@group(0) @binding(2) var<storage, read_write> pairs : array<vec2<f32>>;
${extras.map((buffer, i) => `@group(0) @binding(${i + 3}) ${buffer}`).join("\n")}
${fold.code}
var<workgroup> parts : array<vec2<f32>, ${product.height * lanesOfRow(product)}>;
fn ofToken(row : u32, token : u32, sum : f32) -> vec2<f32> {
  let inside = token < params.columns;
  let logit = sum${hasBias ? " + bias[min(token, params.columns - 1u)]" : ""};
  ${picks ? "if (row < params.rows && inside && u32(ids[row]) == token) { picked[row] = logit; }" : ""}
  return select(vec2(${LOWEST}, 0.0), one(logit, token), inside);
}`;
  return {
    name: `${fold.name} tiles ${nameProduct(product)} ${hasBias ? "bias" : ""} ${picks ? "picks" : ""}`,
    code: tiledProduct(product, declarations, foldLanes(product)),
  };
}

/** Lanes that share a row of a tile. */
const lanesOfRow = ({ height }: TiledProduct): number => laneOf(height).apart / 4;

/** Folds each lane's logits of a row, and then those of the row's lanes. */
function foldLanes(product: TiledProduct): string {
  const { rows, vectors, apart } = laneOf(product.height);
  const lanes = lanesOfRow(product);
  return `
  for (var i = 0u; i < ${rows}u; i++) {
    var own = vec2<f32>(${LOWEST}, 0.0);
    for (var j = 0u; j < ${4 * vectors}u; j++) {
      let token = column + ${apart}u * (j / 4u) + j % 4u;
      own = join(own, ofToken(row + i, token, sums[${vectors}u * i + j / 4u][j % 4u]));
    }
    parts[(row + i - tileRow) * ${lanes}u + ownW] = own;
  }
  workgroupBarrier();
  if (lane >= ${product.height}u || tileRow + lane >= params.rows) { return; }
  var all = parts[lane * ${lanes}u];
  for (var i = 1u; i < ${lanes}u; i++) { all = join(all, parts[lane * ${lanes}u + i]); }
  pairs[(tileRow + lane) * params.tiles + group.y] = all;`;
}

/** Lanes that join the pairs of a row. */
const LANES = 64;

/** A workgroup joins the pairs of a row and writes what `result` makes of them, `all`. */
function joinShader(fold: Fold, result: string, extra = ""): Shader {
  return {
    name: `${fold.name} join`,
    code: `
@group(0) @binding(0) var<storage, read> pairs : array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> y : array<f32>;
${extra}
${fold.code}
var<workgroup> parts : array<vec2<f32>, ${LANES}>;
@compute @workgroup_size(${LANES}) fn main(
  @builtin(local_invocation_index) lane : u32,
  @builtin(workgroup_id) group : vec3<u32>,
) {
  let row = group.x;
  var all = vec2<f32>(${LOWEST}, 0.0);
  for (var i = lane; i < params.tiles; i += ${LANES}u) { all = join(all, pairs[row * params.tiles + i]); }
  parts[lane] = all;
  workgroupBarrier();
  if (lane > 0u) { return; }
  for (var i = 1u; i < ${LANES}u; i++) { all = join(all, parts[i]); }
  y[row] = ${result};
}`,
  };
}

const JOIN_SUMS = joinShader(
  LOG_SUM,
  "picked[row] - all.x - log(all.y)",
  "@group(0) @binding(2) var<storage, read> picked : array<f32>;",
);
const JOIN_BEST = joinShader(BEST, "all.y");

/** Joins the pairs of every row, which are freed with what else was made on the way: a new tensor [rows]. */
function joinTiles(shader: Shader, pairs: tf.TensorInfo, others: readonly tf.TensorInfo[]): tf.TensorInfo {
  const [rows, tiles] = pairs.shape as [number, number];
  const y = output([rows]);
  dispatch(shader, { buffers: [pairs, y, ...others], params: { tiles: { u32: tiles } }, groups: [rows] });
  for (const { dataId } of [pairs, ...others]) gpu().disposeData(dataId);
  return y;
}

webgpuKernel("TokenLogProbs", ({ inputs }) => {
  const { ids } = inputs;
  const picked = output([ids!.shape[0]!]);
  const pairs = foldTiles(LOG_SUM, inputs as unknown as Logits, { ids: ids!, picked });
  return joinTiles(JOIN_SUMS, pairs, [picked]);
});

webgpuKernel("BestTokens", ({ inputs }) => joinTiles(JOIN_BEST, foldTiles(BEST, inputs as unknown as Logits), []));
