import { declareOperand, nameOperand, type Operand, type Size } from "./operand.ts";

// A workgroup makes a tile of the result, `height` rows by 64 columns, from tiles of x and w that are 16 deep. In workgroup memory these lie
// with their depth outermost, so that a lane reads the numbers of its own rows and columns as whole vectors. While one pair of tiles is
// multiplied, the next is on its way to registers, a block of four lines by four of the depth to a lane.

/** Columns of a tile, and lanes of a workgroup. */
export const TILE_COLUMNS = 64;
const LANES = 64;
const DEPTH = 16;

/** The tiles' heights, with the rows of a lane and its vectors of four columns: high ones for speed, low ones for few rows or few tiles. */
const OWN = { 64: { rows: 8, vectors: 2 }, 16: { rows: 4, vectors: 1 } } as const;

/** The height of a tile in rows. */
export type TileHeight = keyof typeof OWN;

/** Up to so many rows, or in fewer high tiles than so many, a product is divided into low ones: they occupy more of a GPU. */
const FEW_ROWS = 32;
const FEW_TILES = 32;

/**
 * The height of the tiles of a product. High ones are for what is wide alone: where numbers are read one by one a driver may take minutes
 * to compile them.
 */
export function tileHeight(rows: number, columns: number, allWide: boolean): TileHeight {
  const tiles = Math.ceil(rows / 64) * Math.ceil(columns / TILE_COLUMNS);
  return rows <= FEW_ROWS || tiles < FEW_TILES || !allWide ? 16 : 64;
}

/** A product x wᵀ in tiles. */
export interface TiledProduct {
  readonly x: Operand;
  readonly w: Operand;
  readonly height: TileHeight;
}

/** Tells a product's shader from all others that end alike. */
export const nameProduct = ({ x, w, height }: TiledProduct): string => `${nameOperand(x)} ${nameOperand(w)} ${height}`;

/** Workgroups of a product in tiles. Neighbours share a tile of w, which is read once, and x, which stays near. */
export const tileGroups = (height: TileHeight, rows: number, columns: number): [x: number, y: number] => [
  Math.ceil(rows / height),
  Math.ceil(columns / TILE_COLUMNS),
];

/** Statements for each of some numbers. */
export const each = (count: number, make: (i: number) => string, between = "\n  "): string =>
  Array.from({ length: count }, (_, i) => make(i)).join(between);

/** How a lane lies in its tile. */
export interface Lane {
  /** Its rows, from WGSL's `row` on. */
  readonly rows: number;
  /**
   * Its vectors of four columns, the first at `column`, the next `apart` columns further. WGSL's `sums` has them by rows:
   * `sums[vectors * i + j] : vec4<f32>`.
   */
  readonly vectors: number;
  readonly apart: number;
}

/** How lanes lie in tiles of a height. */
export function laneOf(height: TileHeight): Lane {
  const { rows, vectors } = OWN[height];
  return { rows, vectors, apart: TILE_COLUMNS / vectors };
}

/**
 * WGSL of a product x wᵀ in tiles, x [rows, inner] on binding 0 and w [columns, inner] on binding 1 by the parameters of those names, and
 * what follows: the statements `finish` see the `lane` and its `row`, `column` and `sums`; `declarations` are what they need.
 */
export function tiledProduct({ x, w, height }: TiledProduct, declarations: string, finish: string): string {
  const { rows, vectors, apart } = laneOf(height);
  const across = apart / 4;
  const [left, right] = [block("x", x, height), block("w", w, TILE_COLUMNS)];
  const loadX = (statement: string): string =>
    height === LANES ? statement : `if (lane < ${height}u) { ${statement} }`;
  return `
${declareOperand("x", 0, x, sizeOf(x, "rows"))}
${declareOperand("w", 1, w, sizeOf(w, "columns"))}
${declarations}
var<workgroup> xTile : array<vec4<f32>, ${(DEPTH * height) / 4}>;
var<workgroup> wTile : array<vec4<f32>, ${(DEPTH * TILE_COLUMNS) / 4}>;
${left.fetch}
${right.fetch}
@compute @workgroup_size(${LANES}) fn main(
  @builtin(local_invocation_index) lane : u32,
  @builtin(workgroup_id) group : vec3<u32>,
) {
  let tileRow = group.x * ${height}u;
  let tileColumn = group.y * ${TILE_COLUMNS}u;
  let ownX = lane / ${across}u * ${rows / 4}u;
  let ownW = lane % ${across}u;
  ${each(rows * vectors, (i) => `var sum${i} = vec4<f32>();`)}
  var nextX : mat4x4<f32>;
  ${loadX("nextX = xFetch(lane, tileRow, 0u);")}
  var nextW = wFetch(lane, tileColumn, 0u);
  for (var k = ${DEPTH}u; k < params.inner + ${DEPTH}u; k += ${DEPTH}u) {
    ${loadX(left.store)}
    ${right.store}
    workgroupBarrier();
    ${loadX("nextX = xFetch(lane, tileRow, k);")}
    nextW = wFetch(lane, tileColumn, k);
    for (var i = 0u; i < ${DEPTH}u; i++) {
      ${each(rows / 4, (j) => `let a${j} = xTile[i * ${height / 4}u + ownX + ${j}u];`)}
      ${each(vectors, (j) => `let b${j} = wTile[i * ${TILE_COLUMNS / 4}u + ownW + ${j * across}u];`)}
      ${each(rows, (i) => each(vectors, (j) => `sum${vectors * i + j} += a${i >> 2}.${"xyzw"[i % 4]} * b${j};`))}
    }
    workgroupBarrier();
  }
  var sums = array<vec4<f32>, ${rows * vectors}>(${each(rows * vectors, (i) => `sum${i}`, ", ")});
  let row = tileRow + 4u * ownX;
  let column = tileColumn + 4u * ownW;
  ${finish}
}`;
}

const sizeOf = ({ isTurned }: Operand, lines: string): Size =>
  isTurned ? { lines: "params.inner", width: `params.${lines}` } : { lines: `params.${lines}`, width: "params.inner" };

/** How a lane brings its block of a tile to registers, and from there to workgroup memory. */
function block(name: "x" | "w", { isTurned }: Operand, height: number): { fetch: string; store: string } {
  const [line, deep] = isTurned // neighbours read along a line of the buffer
    ? [`block % ${height / 4}u`, `block / ${height / 4}u`]
    : [`block / ${DEPTH / 4}u`, `block % ${DEPTH / 4}u`];
  const four = (i: number): string => (isTurned ? `${name}Four(at + ${i}u, line)` : `${name}Four(line + ${i}u, at)`);
  const lines = `mat4x4<f32>(${each(4, four, ", ")})`;
  const next = `next${name.toUpperCase()}`;
  const place = `(${deep.replace("block", "lane")}) * ${height}u + ${line.replace("block", "lane")}`;
  return {
    fetch: `
fn ${name}Fetch(block : u32, first : u32, k : u32) -> mat4x4<f32> {
  let line = first + 4u * (${line});
  let at = k + 4u * (${deep});
  return ${isTurned ? lines : `transpose(${lines})`};
}`,
    store: each(4, (i) => `${name}Tile[${place} + ${(i * height) / 4}u] = ${next}[${i}];`),
  };
}
