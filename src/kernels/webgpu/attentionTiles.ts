import { LANES } from "./rows.ts";

// What attention and its gradients are made of in WGSL. A workgroup of 8 × 8 invocations has a block of rows, 8 × `each`, and takes 32
// columns at a time: queries and keys in attention. Invocation (x, y) has rows y + 8 r and columns x + 8 c of the scores, and of results
// rows y + 8 r and the vec4 x of every chunk of 8. Of rows as wide as a head the workgroup's memory holds a chunk at a time.

/** Side of the square of invocations, and vec4s of a chunk. */
const SIDE = 8;
/** Columns of an invocation. */
const ACROSS = 4;
/** Columns of scores that are formed at a time. */
export const COLUMNS: number = SIDE * ACROSS;

/** A shader's sizes. */
export interface Tiling {
  /** Of a head. */
  readonly width: number;
  /** Rows of an invocation. */
  readonly each: number;
}

/** Rows of a workgroup. */
export const rowsOf = ({ each }: Tiling): number => SIDE * each;

const vectorsOf = (width: number): number => Math.ceil(width / 4);

/** vec4s of a head that are in a workgroup's memory at a time, and how often that is. */
function chunksOf({ width }: Tiling): { readonly vectors: number; readonly chunks: number } {
  const chunks = Math.ceil(vectorsOf(width) / SIDE);
  return { vectors: Math.min(SIDE, vectorsOf(width)), chunks };
}

/** Vectors of results that an invocation has. */
export const resultsOf = (tiling: Tiling): number => tiling.each * chunksOf(tiling).chunks;

/** The type of a buffer of rows of heads: vec4s lie whole where a head's width is a multiple of 4. */
export const elementOf = ({ width }: Tiling): string => (width % 4 === 0 ? "vec4<f32>" : "f32");

/** What a buffer's element is counted in. */
export const unitOf = (width: number): number => (width % 4 === 0 ? 4 : 1);

/** WGSL: reads vec4 `at` of head `head` of a row of `stride` elements, zeros beyond the head's width. */
export function readFunction(buffer: string, { width }: Tiling): string {
  const header = `fn read_${buffer}(row : u32, stride : u32, head : u32, at : u32) -> vec4<f32>`;
  if (width % 4 === 0)
    return `${header} {
  if (at >= ${width / 4}u) { return vec4<f32>(); }
  return ${buffer}[row * stride + head * ${width / 4}u + at];
}`;
  return `${header} {
  let first = row * stride + head * ${width}u + 4u * at;
  var found = vec4<f32>();
  for (var i = 0u; i < 4u && 4u * at + i < ${width}u; i++) { found[i] = ${buffer}[first + i]; }
  return found;
}`;
}

/** WGSL: writes such a vec4. */
export function writeFunction(buffer: string, { width }: Tiling): string {
  const header = `fn write_${buffer}(row : u32, stride : u32, head : u32, at : u32, value : vec4<f32>)`;
  if (width % 4 === 0)
    return `${header} {
  if (at < ${width / 4}u) { ${buffer}[row * stride + head * ${width / 4}u + at] = value; }
}`;
  return `${header} {
  let first = row * stride + head * ${width}u + 4u * at;
  for (var i = 0u; i < 4u && 4u * at + i < ${width}u; i++) { ${buffer}[first + i] = value[i]; }
}`;
}

/** Rows of a buffer: which is the i-th, in WGSL, how many elements apart, and of which head. */
export interface Source {
  readonly buffer: string;
  readonly row: (i: string) => string;
  readonly stride: string;
  readonly head: string;
}

/** WGSL: the workgroup's memory, of which `weights` are a block's of rows and columns, and `parts` what a row's invocations have. */
export function memory(tiling: Tiling): string {
  const rows = rowsOf(tiling);
  return `
var<workgroup> left : array<vec4<f32>, ${rows * apart(tiling)}>;
var<workgroup> right : array<vec4<f32>, ${COLUMNS * apart(tiling)}>;
var<workgroup> weights : array<f32, ${rows * (COLUMNS + 1)}>;
var<workgroup> parts : array<f32, ${rows * SIDE}>;`;
}

/** Vectors from one row of a chunk to the next: an odd number, so that neighbours lie in different banks. */
const apart = (tiling: Tiling): number => chunksOf(tiling).vectors | 1;

/** WGSL: loads a chunk, `chunk` in WGSL, of rows. */
function load(into: string, rows: number, { buffer, row, stride, head }: Source, tiling: Tiling): string {
  const { vectors } = chunksOf(tiling);
  return `for (var i = lane; i < ${rows * vectors}u; i += ${LANES}u) {
      let at = i / ${vectors}u;
      let vector = i % ${vectors}u;
      ${into}[at * ${apart(tiling)}u + vector] =
        read_${buffer}(${row("at")}, ${stride}, ${head}, chunk * ${vectors}u + vector);
    }`;
}

/** WGSL: adds the products of the block's rows with columns to `scores`, of an invocation's rows and columns. */
export function multiply(scores: string, rows: Source, columns: Source, tiling: Tiling): string {
  const { vectors, chunks } = chunksOf(tiling);
  const step = apart(tiling);
  return `
  for (var chunk = 0u; chunk < ${chunks}u; chunk++) {
    workgroupBarrier();
    ${load("left", rowsOf(tiling), rows, tiling)}
    ${load("right", COLUMNS, columns, tiling)}
    workgroupBarrier();
    for (var i = 0u; i < ${vectors}u; i++) {
      for (var c = 0u; c < ${ACROSS}u; c++) {
        let other = right[(x + ${SIDE}u * c) * ${step}u + i];
        for (var r = 0u; r < ${tiling.each}u; r++) {
          ${scores}[r * ${ACROSS}u + c] += dot(left[(y + ${SIDE}u * r) * ${step}u + i], other);
        }
      }
    }
  }`;
}

/**
 * WGSL: adds to `results`, an invocation's vectors, the rows of `columns` by their `weights`, of which the first `count` may differ from 0.
 * Chunks are written out one after another, so that every index into `results` is a number.
 */
export function combine(results: string, columns: Source, count: string, tiling: Tiling): string {
  const { vectors, chunks } = chunksOf(tiling);
  const parts = Array.from(
    { length: chunks },
    (_, chunk) => `{
    let chunk = ${chunk}u;
    workgroupBarrier();
    ${load("right", COLUMNS, columns, tiling)}
    workgroupBarrier();
    for (var i = 0u; i < ${count}; i++) {
      let other = right[i * ${apart(tiling)}u + min(x, ${vectors - 1}u)];
      for (var r = 0u; r < ${tiling.each}u; r++) {
        ${results}[r * ${chunks}u + ${chunk}u] += weights[(y + ${SIDE}u * r) * ${COLUMNS + 1}u + i] * other;
      }
    }
  }`,
  );
  return parts.join("\n  ");
}

/** WGSL: what an invocation has of a number a row, from its vectors: `use` of the row in its block, the vec4 of a head, and the vector. */
export function eachResult(
  results: string,
  tiling: Tiling,
  use: (row: string, at: string, vector: string) => string,
): string {
  const { vectors, chunks } = chunksOf(tiling);
  return `if (x < ${vectors}u) {
    for (var r = 0u; r < ${tiling.each}u; r++) {
      for (var chunk = 0u; chunk < ${chunks}u; chunk++) {
        ${use(`(y + ${SIDE}u * r)`, `(chunk * ${vectors}u + x)`, `${results}[r * ${chunks}u + chunk]`)}
      }
    }
  }`;
}
