import { widen } from "../tensor/halves.ts";
import { floats, type Graph, INT32, node, value } from "../tensor/native/onnx.ts";
import { give, take } from "../tensor/native/pool.ts";
import { runGraph, type View } from "../tensor/native/session.ts";
import type { FormRows } from "../tensor/pair.ts";
import { isHalves, type Source } from "../tensor/source.ts";
import type { Activation } from "./elementwise.ts";
import { evenBlocks, linearGraph, ROWS_AT_ONCE, someRows } from "./linear.ts";

/**
 * Columns of the wide result that are held at once. A product over thousands of columns is slower: rows whose lengths are multiples of
 * 4 KiB, such as 3072 columns, evict one another from the first-level cache.
 */
export const COLUMNS_AT_ONCE = 768;

/** Tiles begin at whole cache lines. */
const GRAIN = 16;

/** With fewer rows a tile costs more than it saves: the columns of `down` are copied together first. */
const TILED_ROWS = 256;

/** What one side reads beside the matrices, and where its result goes: x [rows, in]; residual and y [rows, out]. */
export interface Side {
  readonly x: View;
  readonly upBias: View;
  readonly downBias: View;
  readonly residual: View;
  readonly y: View;
}

/** Gives an array of so many elements. */
export type Scratch = (size: number) => Float32Array;

/** A tile of a matrix on each side, or one for all, valid until the next call: columns `from` up to `to` of the wide result. */
export type ReadTiles = (from: number, to: number) => readonly Float32Array[];

/** Rows [to − from, in] of `up`, and columns [out, to − from] of `down`, in tiles of at most `most`. */
export type Matrices = (most: number) => { readonly up: ReadTiles; readonly down: ReadTiles };

/** Runs all sides through a feed-forward part with `wide` columns in its middle. */
export function feedForwardByTiles(
  sides: readonly Side[],
  activation: Activation,
  wide: number,
  matrices: Matrices,
): void {
  const tiled = sides[0]!.x.shape[0]! >= TILED_ROWS;
  const tiles = tiled ? evenBlocks(wide, COLUMNS_AT_ONCE, GRAIN) : [[0, wide] as const];
  const { up, down } = matrices(Math.max(...tiles.map(([from, to]) => to - from)));
  for (const [from, to] of tiles) {
    const [ups, downs] = [up(from, to), down(from, to)];
    sides.forEach((side, i) => {
      addTile(side, { activation, from, to, up: ups[i] ?? ups[0]!, down: downs[i] ?? downs[0]! });
    });
  }
}

interface Tile {
  readonly activation: Activation;
  readonly from: number;
  readonly to: number;
  readonly up: Float32Array;
  readonly down: Float32Array;
}

/** Adds a tile's part to the result; the first begins with bias and residual. */
function addTile({ x, upBias, downBias, residual, y }: Side, { activation, from, to, up, down }: Tile): void {
  const [width, out, size] = [x.shape[1]!, y.shape[1]!, to - from];
  const upper = {
    weight: { values: up, shape: [size, width] },
    bias: { values: upBias.values.subarray(from, to), shape: [size] },
  };
  const lower = { values: down, shape: [out, size] };
  for (const [first, last] of evenBlocks(x.shape[0]!, ROWS_AT_ONCE)) {
    const [part, before, into] = [x, residual, y].map((view) => someRows(view, first, last));
    const middle = { values: take((last - first) * size), shape: [last - first, size] };
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

/** Rows of a matrix of `width` columns where they are, or widened. */
export function readRows(source: Source, width: number, most: number, scratch: Scratch): ReadTiles {
  if (!isHalves(source)) return (from, to) => [source.subarray(from * width, to * width)];
  const tile = scratch(most * width);
  return (from, to) => {
    const rows = tile.subarray(0, (to - from) * width);
    widen(source, from * width, rows);
    return [rows];
  };
}

/** Rows of a matrix in theta, formed for both sides. */
export function formRows(
  form: NonNullable<ReturnType<FormRows>>,
  width: number,
  most: number,
  scratch: Scratch,
): ReadTiles {
  const tiles = [scratch(most * width), scratch(most * width)];
  return (from, to) => {
    const [plus, minus] = tiles.map((tile) => tile.subarray(0, (to - from) * width));
    form([{ from: from * width, to: to * width, sides: { plus: plus!, minus: minus! } }]);
    return [plus!, minus!];
  };
}

/** Columns of each side's matrix of `width` columns, copied together; a tile of all columns is the matrix itself. */
export function gatherColumns(sources: readonly Source[], width: number, most: number, scratch: Scratch): ReadTiles {
  const inPlace = sources.filter((source): source is Float32Array => !isHalves(source));
  if (most === width && inPlace.length === sources.length) return () => inPlace;
  const height = (isHalves(sources[0]!) ? sources[0]!.bits : sources[0]!).length / width;
  const tiles = sources.map(() => scratch(most * height));
  return (from, to) => sources.map((source, i) => copyColumns(source, width, [from, to], tiles[i]!));
}

/** By ONNX Runtime where it can: a view of each row would leave JavaScript megabytes to collect. */
function copyColumns(
  source: Source,
  width: number,
  [from, to]: readonly [number, number],
  tile: Float32Array,
): Float32Array {
  const size = to - from;
  const height = (isHalves(source) ? source.bits : source).length / width;
  const into = tile.subarray(0, height * size);
  if (isHalves(source))
    for (let row = 0; row < height; row++)
      widen(source, row * width + from, into.subarray(row * size, (row + 1) * size));
  else {
    const feeds = {
      x: { values: source, shape: [height, width] },
      from: single(from),
      to: single(to),
      axis: single(1),
    };
    runGraph("columns", columnsGraph, feeds, { y: { values: into, shape: [height, size] } });
  }
  return into;
}

const single = (number: number): View => ({ values: Int32Array.of(number), shape: [1] });

const columnsGraph = (): Graph => ({
  nodes: [node("Slice", ["x", "from", "to", "axis"], "y")],
  inputs: [floats("x", "n", "d"), ...["from", "to", "axis"].map((name) => value(name, INT32, ["one"]))],
  outputs: [floats("y", "n", "part")],
});
