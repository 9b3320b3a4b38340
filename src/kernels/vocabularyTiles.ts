import type { Scratch } from "../tensor/native/pool.ts";
import type { View } from "../tensor/native/session.ts";
import type { Matrix } from "../tensor/x86/products.ts";
import { evenBlocks, runByRows, someRows } from "./linear.ts";
import { findMatrix, multiplySides, type ProductSide, takeRows } from "./matrix.ts";
import type { FoundWeight } from "./sides.ts";
import { readRows } from "./tiles.ts";

/** Rows of the output matrix that are used at once: 6 MiB of a matrix 768 wide, which stay in the caches. A tile begins where a group of z does. */
export const TILE_ROWS = 2048;

/** One side's features [rows, width], and the bias [vocabulary] where its output matrix has one. */
export interface OutputSide {
  readonly features: View;
  readonly bias?: View;
}

/** Logits of some feature rows from row `first` on, for some tokens from `from` on: [rows, tokens] a side. */
export interface LogitBlock {
  readonly first: number;
  readonly from: number;
  readonly sides: readonly View[];
}

/**
 * Calls `use` for the logits of one side or both, block by block, valid until it returns: neither the logits of the whole vocabulary nor,
 * of an output matrix [vocabulary, width] in 16 bits or in theta, all of it in float32 are ever held.
 */
export function eachLogitBlock(
  weight: FoundWeight,
  sides: readonly OutputSide[],
  scratch: Scratch,
  use: (block: LogitBlock) => void,
): void {
  const [vocabulary, rows] = [weight.tensor.shape[0]!, sides[0]!.features.shape[0]!];
  const matrix = findMatrix(weight, rows);
  const most = matrix ? PRODUCT_ROWS : GRAPH_ROWS;
  const useTile = matrix ? byProducts(matrix) : byGraphs(weight, scratch);
  const logits = sides.map(() => scratch(Math.min(rows, most) * Math.min(TILE_ROWS, vocabulary)));
  for (let from = 0; from < vocabulary; from += TILE_ROWS) {
    const to = Math.min(vocabulary, from + TILE_ROWS);
    const fill = useTile(from, to);
    for (const [first, last] of evenBlocks(rows, most)) {
      const views = sides.map((side, i) => cut(side, [first, last], [from, to], logits[i]!));
      fill(views);
      use({ first, from, sides: views.map(({ y }) => y) });
    }
  }
}

/** Feature rows whose logits are held at once: the kit's own kernels form a tile of the matrix anew for every block. */
const PRODUCT_ROWS = 1024;
const GRAPH_ROWS = 256;

/** Rows `from` up to `to` of the output matrix: what writes the logits of each side's features. */
type UseTile = (from: number, to: number) => (sides: readonly ProductSide[]) => void;

const byProducts =
  (matrix: Matrix): UseTile =>
  (from, to) =>
  (sides) =>
    multiplySides(takeRows(matrix, from, to), sides);

function byGraphs(weight: FoundWeight, scratch: Scratch): UseTile {
  const [vocabulary, width] = weight.tensor.shape as [number, number];
  const read = readRows(weight, Math.min(TILE_ROWS, vocabulary), scratch);
  return (from, to) => {
    const tiles = read(from, to);
    return (sides) =>
      sides.forEach((side, i) => {
        runByRows({ ...side, weight: { values: tiles[i] ?? tiles[0]!, shape: [to - from, width] } });
      });
  };
}

function cut(
  { features, bias }: OutputSide,
  [first, last]: readonly [number, number],
  [from, to]: readonly [number, number],
  logits: Float32Array,
): ProductSide {
  const shape = [last - first, to - from] as const;
  return {
    x: someRows(features, first, last),
    ...(bias && { bias: { values: bias.values.subarray(from, to), shape: [to - from] } }),
    y: { values: logits.subarray(0, shape[0] * shape[1]), shape },
  };
}
