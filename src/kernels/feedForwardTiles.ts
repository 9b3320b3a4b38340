import { floats, type Graph, node } from "../tensor/native/onnx.ts";
import { give, type Scratch, take } from "../tensor/native/pool.ts";
import { runGraph, type View } from "../tensor/native/session.ts";
import type { Matrix } from "../tensor/x86/products.ts";
import type { Activation } from "./elementwise.ts";
import { evenBlocks, linearGraph, ROWS_AT_ONCE, someRows } from "./linear.ts";
import { findMatrix, multiplySides, takeColumns, takeRows } from "./matrix.ts";
import type { FoundWeight } from "./sides.ts";
import { readColumns, readRows } from "./tiles.ts";

/**
 * Columns of the wide result that are held at once. A product over thousands of columns is slower: rows whose lengths are multiples of
 * 4 KiB, such as 3072 columns, evict one another from the first-level cache.
 */
export const COLUMNS_AT_ONCE = 768;

/** Tiles begin at whole cache lines, and where a product may cut a matrix. */
const GRAIN = 64;

/** With fewer rows a tile costs more than it saves. */
const TILED_ROWS = 256;

/** What one side reads beside the matrices, and where its result goes: x [rows, in]; residual and y [rows, out]. */
export interface Side {
  readonly x: View;
  readonly upBias: View;
  readonly downBias: View;
  readonly residual: View;
  readonly y: View;
}

/** The two matrices: up [wide, in] and down [out, wide]. */
export interface Matrices<T> {
  readonly up: T;
  readonly down: T;
}

/** Adds the part of columns `from` up to `to` of the wide result to every side's result; the first tile begins it with bias and residual. */
type AddTile = (from: number, to: number) => void;

/** Runs all sides through a feed-forward part. */
export function feedForwardByTiles(
  sides: readonly Side[],
  activation: Activation,
  weights: Matrices<FoundWeight>,
  scratch: Scratch,
): void {
  const [rows, wide] = [sides[0]!.x.shape[0]!, weights.up.tensor.shape[0]!];
  const tiled = rows >= TILED_ROWS;
  const tiles = tiled ? evenBlocks(wide, COLUMNS_AT_ONCE, GRAIN) : [[0, wide] as const];
  const most = Math.max(...tiles.map(([from, to]) => to - from));
  const [up, down] = [findMatrix(weights.up, rows), findMatrix(weights.down, rows)];
  const add =
    up && down ? byProducts(sides, activation, { up, down }) : byGraphs(sides, activation, weights, most, scratch);
  for (const [from, to] of tiles) add(from, to);
}

/** All rows at once, so that every tile of the matrices is formed once. */
function byProducts(sides: readonly Side[], activation: Activation, { up, down }: Matrices<Matrix>): AddTile {
  return (from, to) => {
    const middles = sides.map(({ x }) => takeView(x.shape[0]!, to - from));
    const upper = sides.map(({ x, upBias }, i) => ({ x, bias: some(upBias, from, to), y: middles[i]! }));
    multiplySides(takeRows(up, from, to), upper, activation);
    const lower = sides.map(({ downBias, residual, y }, i) => ({
      ...{ x: middles[i]!, y },
      ...(from === 0 ? { bias: downBias, residual } : { residual: y }),
    }));
    multiplySides(takeColumns(down, from, to), lower);
    for (const { values } of middles) give(values);
  };
}

const takeView = (rows: number, columns: number): View => ({ values: take(rows * columns), shape: [rows, columns] });
const some = ({ values }: View, from: number, to: number): View => ({
  values: values.subarray(from, to),
  shape: [to - from],
});

/** A tile of the matrices is formed and copied together once, and used by blocks of rows. */
function byGraphs(
  sides: readonly Side[],
  activation: Activation,
  { up, down }: Matrices<FoundWeight>,
  most: number,
  scratch: Scratch,
): AddTile {
  const [rows, columns] = [readRows(up, most, scratch), readColumns(down, most, scratch)];
  return (from, to) => {
    const [ups, downs] = [rows(from, to), columns(from, to)];
    sides.forEach((side, i) => {
      addTile(side, { activation, from, to, up: ups[i] ?? ups[0]!, down: downs[i] ?? downs[0]! });
    });
  };
}

interface Tile extends Matrices<Float32Array> {
  readonly activation: Activation;
  readonly from: number;
  readonly to: number;
}

function addTile({ x, upBias, downBias, residual, y }: Side, { activation, from, to, up, down }: Tile): void {
  const [width, out, size] = [x.shape[1]!, y.shape[1]!, to - from];
  const upper = { weight: { values: up, shape: [size, width] }, bias: some(upBias, from, to) };
  const lower = { values: down, shape: [out, size] };
  for (const [first, last] of evenBlocks(x.shape[0]!, ROWS_AT_ONCE)) {
    const [part, before, into] = [x, residual, y].map((view) => someRows(view, first, last));
    const middle = takeView(last - first, size);
    const upGraph = (): Graph => linearGraph(["x", "weight", "bias"], activation);
    runGraph(`feedForwardUp ${activation}`, upGraph, { x: part!, ...upper }, { y: middle });
    if (from > 0) runGraph("feedForwardMore", moreGraph, { x: middle, weight: lower, sum: into! }, { y: into! });
    else {
      const feeds = { x: middle, weight: lower, bias: downBias, residual: before! };
      runGraph("feedForwardDown", () => linearGraph(Object.keys(feeds)), feeds, { y: into! });
    }
    give(middle.values);
  }
}

/** The sum that is added to may be the result itself: ONNX Runtime begins a product with what is there. */
const moreGraph = (): Graph => ({
  nodes: [node("Gemm", ["x", "weight", "sum"], "y", { transB: 1 })],
  inputs: [floats("x", "n", "i"), floats("weight", "o", "i"), floats("sum", "n", "o")],
  outputs: [floats("y", "n", "o")],
});
