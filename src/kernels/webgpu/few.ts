import { declareOperand, nameOperand, type Operand } from "./operand.ts";
import { each } from "./tile.ts";

/** Rows up to which a product is as fast as its weight is read. */
export const MOST_FEW_ROWS = 8;

/** Lanes that share a column's sum, and columns of a workgroup. */
const SHARE = 8;
const COLUMNS = 8;

/** A product of a few rows x wᵀ: how many rows it has place for, a power of two. */
export interface FewRows {
  readonly x: Operand;
  readonly w: Operand;
  readonly places: number;
}

/** The least power of two that has place for so many rows. */
export const placesFor = (rows: number): number => 2 ** Math.ceil(Math.log2(rows));

/** Tells a product's shader from all others that end alike. */
export const nameFew = ({ x, w, places }: FewRows): string => `few ${places} ${nameOperand(x)} ${nameOperand(w)}`;

/** Workgroups of a product of a few rows. */
export const fewGroups = (columns: number): [x: number] => [Math.ceil(columns / COLUMNS)];

/**
 * WGSL of a product of a few rows, x [rows, inner] on binding 0 and w [columns, inner] on binding 1: each number of w is read once, by
 * lanes that read side by side. `declarations` has `fn finish(row : u32, column : u32, sum : f32)`.
 */
export function fewRowsProduct({ x, w, places }: FewRows, declarations: string): string {
  return `
${declareOperand("x", 0, x, { lines: "params.rows", width: "params.inner" })}
${declareOperand("w", 1, w, { lines: "params.columns", width: "params.inner" })}
${declarations}
var<workgroup> parts : array<f32, ${COLUMNS * SHARE * places}>;
@compute @workgroup_size(${COLUMNS * SHARE}) fn main(
  @builtin(local_invocation_index) lane : u32,
  @builtin(workgroup_id) group : vec3<u32>,
) {
  let first = group.x * ${COLUMNS}u;
  ${each(places, (i) => `var sum${i} = 0.0;`)}
  for (var k = 4u * (lane % ${SHARE}u); k < params.inner; k += ${4 * SHARE}u) {
    let b = wFour(first + lane / ${SHARE}u, k);
    ${each(places, (i) => `sum${i} += dot(xFour(${i}u, k), b);`)}
  }
  ${each(places, (i) => `parts[${i * COLUMNS * SHARE}u + lane] = sum${i};`)}
  workgroupBarrier();
  if (lane >= ${COLUMNS * places}u) { return; }
  var sum = 0.0;
  for (var i = 0u; i < ${SHARE}u; i++) { sum += parts[lane * ${SHARE}u + i]; }
  finish(lane / ${COLUMNS}u, first + lane % ${COLUMNS}u, sum);
}`;
}
