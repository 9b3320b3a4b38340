import * as tf from "@tensorflow/tfjs-core";
import { defineGradient } from "../../tensor/trace.ts";
import { constantBuffer } from "../../tensor/webgpu/constants.ts";
import { dispatch, output, type Shader } from "../../tensor/webgpu/dispatch.ts";
import { gpu, WEBGPU } from "../../tensor/webgpu/gpu.ts";
import type { AttentionShape } from "../attention.ts";
import * as blocks from "./attention.ts";
import * as tiles from "./attentionTiles.ts";
import { declare, LANES } from "./rows.ts";

// With P the weights of a query's keys and dP = dO Vᵀ: dV = Pᵀ dO, dS = P ∘ (dP − rowsum(P ∘ dP)), dQ = dS K, dK = dSᵀ Q, scaled. Scores are
// formed again, a tile at a time: one shader goes through the keys of a block of queries, twice, another through the queries of a block of keys.

const { COLUMNS } = tiles;

const readAll = (tiling: tiles.Tiling): string =>
  ["q", "k", "v", "dy"].map((buffer) => tiles.readFunction(buffer, tiling)).join("\n");

/** WGSL: the scores of a tile, and in `others` the products of the result's gradient with the values. */
const bothProducts = (tiling: tiles.Tiling): string => `
    var scores = array<f32, ${tiling.each * 4}>();
    var others = array<f32, ${tiling.each * 4}>();
    ${tiles.multiply("scores", blocks.queryRows("q"), blocks.keyRows("k"), tiling)}
    ${tiles.multiply("others", blocks.queryRows("dy"), blocks.keyRows("v"), tiling)}
    ${blocks.scaleScores(tiling)}`;

/** Gives dQ, and for each query and head the logarithm of the sum of its weights before they are divided by it, and rowsum(P ∘ dP). */
const ofQueries = (tiling: tiles.Tiling): string => {
  const type = tiles.elementOf(tiling);
  const { each } = tiling;
  const reads = { q: type, k: type, v: type, dy: type, blocks: "vec4<u32>" };
  return `${declare(reads, { dq: type, sums: "vec2<f32>" })}
${readAll(tiling)}
${tiles.writeFunction("dq", tiling)}
${tiles.memory(tiling)}
${blocks.blockMain(`
  var top : array<f32, ${each}>;
  var total : array<f32, ${each}>;
  var product : array<f32, ${each}>;
  for (var r = 0u; r < ${each}u; r++) { top[r] = ${blocks.LEAST}; }
  for (var start = 0u; start < seen; start += ${COLUMNS}u) {
    ${bothProducts(tiling)}
    ${blocks.raiseTop(
      tiling,
      `total[r] *= shrink;
    product[r] *= shrink;
    for (var c = 0u; c < 4u; c++) {
      let weight = exp(scores[r * 4u + c] - most);
      total[r] += weight;
      product[r] += weight * others[r * 4u + c];
    }`,
    )}
  }
  ${blocks.sumParts("total", tiling)}
  ${blocks.sumParts("product", tiling)}
  for (var r = 0u; r < ${each}u; r++) {
    top[r] += log(total[r]);
    product[r] /= total[r];
    let row = y + 8u * r;
    if (x == 0u && row < block.y) { sums[(block.x + row) * params.heads + head] = vec2<f32>(top[r], product[r]); }
  }
  var results : array<vec4<f32>, ${tiles.resultsOf(tiling)}>;
  for (var start = 0u; start < seen; start += ${COLUMNS}u) {
    ${bothProducts(tiling)}
    for (var r = 0u; r < ${each}u; r++) {
      for (var c = 0u; c < 4u; c++) {
        let weight = exp(scores[r * 4u + c] - top[r]);
        weights[(y + 8u * r) * ${COLUMNS + 1}u + x + 8u * c] = weight * (others[r * 4u + c] - product[r]) * params.scale;
      }
    }
    ${tiles.combine("results", blocks.keyRows("k"), `min(${COLUMNS}u, seen - start)`, tiling)}
  }
  ${tiles.eachResult("results", tiling, (row, at, vector) => `if (${row} < block.y) { write_dq(block.x + ${row}, params.wide, head, ${at}, ${vector}); }`)}`)}`;
};

/** WGSL: keys of a block, and queries from `start` on. */
const blockKeys = (buffer: string): tiles.Source => ({
  buffer,
  row: (i) => `block.x + min(${i}, block.y - 1u)`,
  stride: "params.narrow",
  head: "keyHead",
});
const laterQueries = (buffer: string): tiles.Source => ({
  buffer,
  row: (i) => `queries.x + min(start + ${i}, queries.y - 1u)`,
  stride: "params.wide",
  head: "head",
});

/** Gives dK and dV: a workgroup has a block of keys of one of their heads, and goes through the queries that see one of them. */
const ofKeys = (tiling: tiles.Tiling): string => {
  const type = tiles.elementOf(tiling);
  const { each } = tiling;
  const reads = { q: type, k: type, v: type, dy: type, sums: "vec2<f32>", blocks: "vec4<u32>" };
  const results = tiles.resultsOf(tiling);
  const eachWeight = (value: string): string => `
      for (var r = 0u; r < ${each}u; r++) {
        for (var c = 0u; c < 4u; c++) { weights[(y + 8u * r) * ${COLUMNS + 1}u + x + 8u * c] = ${value}; }
      }`;
  const write = (buffer: string): string =>
    tiles.eachResult(
      `${buffer}Sums`,
      tiling,
      (row, at, vector) =>
        `if (${row} < block.y) { write_${buffer}(block.x + ${row}, params.narrow, keyHead, ${at}, ${vector}); }`,
    );
  const count = `min(${COLUMNS}u, queries.y - start)`;
  return `${declare(reads, { dk: type, dv: type })}
${readAll(tiling)}
${tiles.writeFunction("dk", tiling)}
${tiles.writeFunction("dv", tiling)}
${tiles.memory(tiling)}
@compute @workgroup_size(${LANES}) fn main(
  @builtin(local_invocation_index) lane : u32,
  @builtin(workgroup_id) group : vec3<u32>,
) {
  let block = blocks[2u * group.x];
  let queries = blocks[2u * group.x + 1u];
  let keyHead = group.y;
  let x = lane % 8u;
  let y = lane / 8u;
  var dkSums : array<vec4<f32>, ${results}>;
  var dvSums : array<vec4<f32>, ${results}>;
  for (var head = keyHead * params.group; head < (keyHead + 1u) * params.group; head++) {
    for (var start = queries.z; start < queries.y; start += ${COLUMNS}u) {
      var scores = array<f32, ${each * 4}>();
      var others = array<f32, ${each * 4}>();
      ${tiles.multiply("scores", blockKeys("k"), laterQueries("q"), tiling)}
      ${tiles.multiply("others", blockKeys("v"), laterQueries("dy"), tiling)}
      for (var c = 0u; c < 4u; c++) {
        let query = start + x + 8u * c;
        let sum = sums[(queries.x + min(query, queries.y - 1u)) * params.heads + head];
        let limit = select(0u, block.w + params.step * query, query < queries.y);
        for (var r = 0u; r < ${each}u; r++) {
          let at = r * 4u + c;
          let score = select(${blocks.LEAST}, scores[at] * params.scale - sum.x, block.z + y + 8u * r < limit);
          scores[at] = exp(score);
          others[at] = scores[at] * (others[at] - sum.y) * params.scale;
        }
      }
      ${eachWeight("scores[r * 4u + c]")}
      ${tiles.combine("dvSums", laterQueries("dy"), count, tiling)}
      workgroupBarrier();
      ${eachWeight("others[r * 4u + c]")}
      ${tiles.combine("dkSums", laterQueries("q"), count, tiling)}
    }
  }
  ${write("dk")}
  ${write("dv")}
}`;
};

/** Rows of an invocation, so that what it sums up stays in registers: of keys there are two sums. */
const queriesEach = (width: number): number => (width > 64 ? 2 : 4);
const keysEach = (width: number): number => (width > 128 ? 1 : width > 64 ? 2 : 4);

const keyTables = blocks.keptTables();

/**
 * Blocks of at most `rows` keys of one sequence, 8 numbers each: the first one's row, how many they are, which of its sequence's the first is, and
 * how many the sequence's first query sees; then the row of that, how many queries there are, and which is the first that sees one of the keys.
 */
const keyBlocks = (shape: AttentionShape, rows: number): Uint32Array =>
  keyTables(shape, rows, ({ row, keyRow, length, keys, seen }) => {
    const numbers: number[] = [];
    for (let first = 0; first < keys; first += rows) {
      const start = shape.causal ? Math.max(0, first + 1 - seen) : 0;
      numbers.push(keyRow + first, Math.min(rows, keys - first), first, seen, row, length, start, 0);
    }
    return numbers;
  });

const shader = (name: string, tiling: tiles.Tiling, code: (tiling: tiles.Tiling) => string): Shader =>
  blocks.keptShader(`attention gradient of ${name} ${tiling.width} ${tiling.each}`, () => code(tiling));

defineGradient("Attention", WEBGPU, (dy, [q, k, v], attrs) => {
  const shape = attrs as unknown as AttentionShape;
  const { heads } = shape;
  const width = q!.shape[1]! / heads;
  const [byQueries, byKeys] = [
    { width, each: queriesEach(width) },
    { width, each: keysEach(width) },
  ];
  const params = { ...blocks.attentionParams(q!, k!, shape), heads: { u32: heads } };
  const [dq, dk, dv] = [q!, k!, v!].map(({ shape }) => output(shape));
  const sums = output([q!.shape[0]!, heads, 2]);
  const queryTable = blocks.queryBlocks(shape, tiles.rowsOf(byQueries));
  const keyTable = keyBlocks(shape, tiles.rowsOf(byKeys));
  dispatch(shader("queries", byQueries, ofQueries), {
    buffers: [q!, k!, v!, dy, constantBuffer(queryTable), dq!, sums],
    params,
    groups: [queryTable.length / 4, heads],
  });
  dispatch(shader("keys", byKeys, ofKeys), {
    buffers: [q!, k!, v!, dy, sums, constantBuffer(keyTable), dk!, dv!],
    params,
    groups: [keyTable.length / 8, k!.shape[1]! / width],
  });
  gpu().disposeData(sums.dataId);
  const [inQ, inK, inV] = [dq!, dk!, dv!].map((made) => tf.engine().makeTensorFromTensorInfo(made));
  return { q: () => inQ!, k: () => inK!, v: () => inV! };
});
