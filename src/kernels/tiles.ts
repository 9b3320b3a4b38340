import { widen } from "../tensor/halves.ts";
import { findSource } from "../tensor/native/backend.ts";
import { floats, type Graph, INT32, node, value } from "../tensor/native/onnx.ts";
import type { Scratch } from "../tensor/native/pool.ts";
import { runGraph, type View } from "../tensor/native/session.ts";
import type { WeightInTheta } from "../tensor/pair.ts";
import { isHalves, type Source } from "../tensor/source.ts";
import { type FoundWeight, formWhole } from "./sides.ts";

/** Rows or columns `from` up to `to` of a matrix on each side, or one tile for all, valid until the next call. */
export type ReadTiles = (from: number, to: number) => readonly Float32Array[];

/** Rows of a weight on each side: where they are, or widened or formed in scratch memory for `most` of them. */
export function readRows(weight: FoundWeight, most: number, scratch: Scratch): ReadTiles {
  const { tensor, inTheta } = weight;
  const [source, width] = [findSource(tensor), tensor.shape[1]!];
  if (inTheta) return formRows(inTheta, width, most, scratch);
  if (!isHalves(source)) return (from, to) => [source.subarray(from * width, to * width)];
  const tile = scratch(most * width);
  return (from, to) => {
    const rows = tile.subarray(0, (to - from) * width);
    widen(source, from * width, rows);
    return [rows];
  };
}

function formRows({ form, sides }: WeightInTheta, width: number, most: number, scratch: Scratch): ReadTiles {
  const tiles = [scratch(most * width), scratch(most * width)];
  return (from, to) => {
    const [plus, minus] = tiles.map((tile) => tile.subarray(0, (to - from) * width));
    form([{ from: from * width, to: to * width, sides: { plus: plus!, minus: minus! } }]);
    return [plus!, minus!].slice(0, sides);
  };
}

/** Columns of a weight, which is formed whole where it is in theta, on each side, copied together; a tile of all columns is the weight itself. */
export function readColumns(weight: FoundWeight, most: number, scratch: Scratch): ReadTiles {
  const sources: readonly Source[] = formWhole(weight, scratch) ?? [findSource(weight.tensor)];
  const [height, width] = weight.tensor.shape as [number, number];
  const inPlace = sources.filter((source): source is Float32Array => !isHalves(source));
  if (most === width && inPlace.length === sources.length) return () => inPlace;
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
