import type * as tf from "@tensorflow/tfjs-core";
import { constantBuffer } from "../../tensor/webgpu/constants.ts";
import { dispatch, output, type Shader, webgpuKernel } from "../../tensor/webgpu/dispatch.ts";
import type { Param } from "../../tensor/webgpu/uniforms.ts";
import type { AttentionShape } from "../attention.ts";
import * as tiles from "./attentionTiles.ts";
import { declare, LANES } from "./rows.ts";

// Flash attention (Dao et al. 2022): the scores of a block of queries with some keys at a time, whose softmax is corrected when larger ones
// are met, so that none lie in memory. A workgroup has a block of queries of one head of one sequence. Variables in a loop are given their zeros:
// WGSL says that they begin with them, but Dawn on Vulkan sets them once.

/** Below any score, and far from what float32 cannot hold: WGSL knows no infinity. */
export const LEAST = "-1e30";

const { COLUMNS } = tiles;

/** WGSL: queries of a block, and keys from `start` on, as rows of a buffer. Those past the last are the last again. */
export const queryRows = (buffer: string): tiles.Source => ({
  buffer,
  row: (i) => `block.x + min(${i}, block.y - 1u)`,
  stride: "params.wide",
  head: "head",
});
export const keyRows = (buffer: string): tiles.Source => ({
  buffer,
  row: (i) => `block.z + min(start + ${i}, seen - 1u)`,
  stride: "params.narrow",
  head: "head / params.group",
});

/** WGSL: the entry of a shader whose workgroup has a block of queries, of which the last sees `seen` keys. */
export const blockMain = (body: string): string => `
@compute @workgroup_size(${LANES}) fn main(
  @builtin(local_invocation_index) lane : u32,
  @builtin(workgroup_id) group : vec3<u32>,
) {
  let block = blocks[group.x];
  let head = group.y;
  let x = lane % 8u;
  let y = lane / 8u;
  let seen = block.w + params.step * (block.y - 1u);
  ${body}
}`;

/** WGSL: the scores of an invocation's rows and columns, scaled; those of keys that a row does not see are the least. */
export const scaleScores = ({ each }: tiles.Tiling): string => `
  for (var r = 0u; r < ${each}u; r++) {
    let limit = min(seen, block.w + params.step * (y + 8u * r));
    for (var c = 0u; c < 4u; c++) {
      scores[r * 4u + c] = select(${LEAST}, scores[r * 4u + c] * params.scale, start + x + 8u * c < limit);
    }
  }`;

/** WGSL: raises `top`, a number a row of an invocation, to the largest of its scores, in all invocations of the row alike. */
export const raiseTop = ({ each }: tiles.Tiling, then: string): string => `
  for (var r = 0u; r < ${each}u; r++) {
    var most = top[r];
    for (var c = 0u; c < 4u; c++) { most = max(most, scores[r * 4u + c]); }
    parts[(y + 8u * r) * 8u + x] = most;
  }
  workgroupBarrier();
  for (var r = 0u; r < ${each}u; r++) {
    var most = top[r];
    for (var i = 0u; i < 8u; i++) { most = max(most, parts[(y + 8u * r) * 8u + i]); }
    let shrink = exp(top[r] - most);
    top[r] = most;
    ${then}
  }`;

const forward = (tiling: tiles.Tiling): string => {
  const type = tiles.elementOf(tiling);
  const results = tiles.resultsOf(tiling);
  const { each } = tiling;
  return `${declare({ q: type, k: type, v: type, blocks: "vec4<u32>" }, { result: type })}
${["q", "k", "v"].map((buffer) => tiles.readFunction(buffer, tiling)).join("\n")}
${tiles.writeFunction("result", tiling)}
${tiles.memory(tiling)}
${blockMain(`
  var sums : array<vec4<f32>, ${results}>;
  var top : array<f32, ${each}>;
  var total : array<f32, ${each}>;
  for (var r = 0u; r < ${each}u; r++) { top[r] = ${LEAST}; }
  for (var start = 0u; start < seen; start += ${COLUMNS}u) {
    var scores = array<f32, ${each * 4}>();
    ${tiles.multiply("scores", queryRows("q"), keyRows("k"), tiling)}
    ${scaleScores(tiling)}
    ${raiseTop(
      tiling,
      `total[r] *= shrink;
    for (var i = 0u; i < ${results / each}u; i++) { sums[r * ${results / each}u + i] *= shrink; }
    for (var c = 0u; c < 4u; c++) {
      let weight = exp(scores[r * 4u + c] - most);
      total[r] += weight;
      weights[(y + 8u * r) * ${COLUMNS + 1}u + x + 8u * c] = weight;
    }`,
    )}
    ${tiles.combine("sums", keyRows("v"), `min(${COLUMNS}u, seen - start)`, tiling)}
  }
  ${sumParts("total", tiling)}
  ${tiles.eachResult("sums", tiling, (row, at, vector) => `if (${row} < block.y) { write_result(block.x + ${row}, params.wide, head, ${at}, ${vector} / total[r]); }`)}`)}`;
};

/** WGSL: the sums over the invocations of a row, in all of them. */
export const sumParts = (name: string, { each }: tiles.Tiling): string => `
  workgroupBarrier();
  for (var r = 0u; r < ${each}u; r++) { parts[(y + 8u * r) * 8u + x] = ${name}[r]; }
  workgroupBarrier();
  for (var r = 0u; r < ${each}u; r++) {
    ${name}[r] = 0.0;
    for (var i = 0u; i < 8u; i++) { ${name}[r] += parts[(y + 8u * r) * 8u + i]; }
  }`;

/** Heads wider than this have fewer queries in a block, so that their results stay in registers. */
const WIDE = 128;

function findTiling(width: number, lengths: readonly number[]): tiles.Tiling {
  const isShort = lengths.every((length) => length <= 8);
  return { width, each: isShort ? 1 : width > WIDE ? 2 : 4 };
}

const shaders = new Map<string, Shader>();

/** The shader of a name, whose text is made when it is first asked for. */
export function keptShader(name: string, code: () => string): Shader {
  const shader = shaders.get(name) ?? { name, code: code() };
  shaders.set(name, shader);
  return shader;
}

/** A sequence: its first query's row and its first key's, how many of both there are, and how many keys the first query sees. */
interface Sequence {
  readonly row: number;
  readonly keyRow: number;
  readonly length: number;
  readonly keys: number;
  readonly seen: number;
}

const MOST_KEPT = 64;

/** Tables of blocks of at most `rows` queries or keys of a sequence each: the same one for the same shape, so that it is uploaded once. */
export function keptTables(): (
  shape: AttentionShape,
  rows: number,
  list: (of: Sequence) => readonly number[],
) => Uint32Array {
  const tables = new Map<string, Uint32Array>();
  return ({ lengths, keyLengths, causal }, rows, list) => {
    const name = `${rows} ${causal} ${lengths} ${keyLengths}`;
    const known = tables.get(name);
    if (known) return known;
    let [row, keyRow] = [0, 0];
    const numbers = lengths.flatMap((length, i) => {
      const keys = keyLengths[i]!;
      const found = list({ row, keyRow, length, keys, seen: causal ? keys - length + 1 : keys });
      row += length;
      keyRow += keys;
      return found;
    });
    if (tables.size >= MOST_KEPT) tables.clear();
    const table = Uint32Array.from(numbers);
    tables.set(name, table);
    return table;
  };
}

const tables = keptTables();

/** Blocks of queries, 4 numbers each: the first one's row, how many they are, the row of the first key, and how many keys the first sees. */
export const queryBlocks = (shape: AttentionShape, rows: number): Uint32Array =>
  tables(shape, rows, ({ row, keyRow, length, seen }) => {
    const numbers: number[] = [];
    for (let first = 0; first < length; first += rows)
      numbers.push(row + first, Math.min(rows, length - first), keyRow, shape.causal ? seen + first : seen);
    return numbers;
  });

/** Sizes that the shaders of attention have as parameters. */
export function attentionParams(
  q: tf.TensorInfo,
  k: tf.TensorInfo,
  { heads, causal }: AttentionShape,
): Readonly<Record<string, Param>> {
  const [wide, narrow] = [q.shape[1]!, k.shape[1]!];
  const width = wide / heads;
  const unit = tiles.unitOf(width);
  return {
    wide: { u32: wide / unit },
    narrow: { u32: narrow / unit },
    group: { u32: wide / narrow },
    step: { u32: causal ? 1 : 0 },
    scale: { f32: 1 / Math.sqrt(width) },
  };
}

webgpuKernel("Attention", ({ inputs, attrs }) => {
  const shape = attrs as unknown as AttentionShape;
  const [q, k, v] = [inputs.q!, inputs.k!, inputs.v!];
  const tiling = findTiling(q.shape[1]! / shape.heads, shape.lengths);
  const blocks = queryBlocks(shape, tiles.rowsOf(tiling));
  const result = output(q.shape);
  dispatch(
    keptShader(`attention ${tiling.width} ${tiling.each}`, () => forward(tiling)),
    {
      buffers: [q, k, v, constantBuffer(blocks), result],
      params: attentionParams(q, k, shape),
      groups: [blocks.length / 4, shape.heads],
    },
  );
  return result;
});
