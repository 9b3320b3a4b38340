import type { StoredTensor } from "./safetensors.ts";

/** Numbers that are read at once, and the fewest and the largest part of a matrix that is kept while it is asked for in pieces. */
const BAND = 1 << 16;
const LEAST = 1 << 18;
const PARTS = 4;

/** Both are kept for the next matrix: new ones would be memory that waits for the garbage collector. */
let band = new Float32Array(0);
let memory = new Float32Array(0);
/** Whose rows `memory` has, and the first of them. */
let held: { readonly of: StoredTensor; readonly first: number } | undefined;

/** What a transposed matrix was made of, by how it is read: transposed once more it is that. */
const origins = new WeakMap<StoredTensor["read"], StoredTensor>();

/**
 * A matrix that is stored as [columns, rows], seen as [rows, columns]. Where it is asked for in pieces, a quarter of it is in memory at a
 * time, for which all of it is read four times.
 */
export function transposeStored(stored: StoredTensor): StoredTensor {
  const origin = origins.get(stored.read);
  if (origin) return origin;
  const [columns, rows] = stored.shape as [number, number];
  const size = rows * columns;
  const most = Math.ceil(Math.max(LEAST / columns, rows / PARTS));
  const readPiece = (into: Float32Array, from: number): void => {
    for (let at = 0; at < into.length; ) {
      const row = Math.floor((from + at) / columns);
      const first = row - (row % most);
      const part = holdRows(stored, { first, count: Math.min(most, rows - first) });
      const piece = part.subarray(from + at - first * columns, from - first * columns + into.length);
      into.set(piece, at);
      at += piece.length;
    }
    if (from + into.length === size) held = undefined;
  };
  const read: StoredTensor["read"] = (into, from = 0) => {
    if (into.length < size) readPiece(into, from);
    else readRows(stored, { first: 0, count: rows }, into);
  };
  origins.set(read, stored);
  return { ...stored, shape: [rows, columns], read };
}

interface Rows {
  readonly first: number;
  readonly count: number;
}

function holdRows(stored: StoredTensor, { first, count }: Rows): Float32Array {
  const size = count * stored.shape[0]!;
  if (memory.length < size) memory = new Float32Array(size);
  const part = memory.subarray(0, size);
  if (held?.of !== stored || held.first !== first) readRows(stored, { first, count }, part);
  held = { of: stored, first };
  return part;
}

/** Fills `into` with rows of the matrix, of which the file has the columns one after the other. */
function readRows(stored: StoredTensor, { first, count }: Rows, into: Float32Array): void {
  const [columns, rows] = stored.shape as [number, number];
  const most = Math.max(1, Math.floor(BAND / rows));
  if (band.length < most * rows) band = new Float32Array(Math.max(BAND, rows));
  for (let column = 0; column < columns; column += most) {
    const part = band.subarray(0, Math.min(most, columns - column) * rows);
    stored.read(part, column * rows);
    for (let at = 0; at < part.length; at += rows)
      for (let i = 0; i < count; i++) into[i * columns + column + at / rows] = part[at + first + i]!;
  }
}

/** The values of a matrix [rows, columns], row by row, as those of [columns, rows]. */
export function transposeValues(values: Float32Array, [rows, columns]: readonly [number, number]): Float32Array {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) turned[column * rows + row] = values[row * columns + column]!;
  return turned;
}
