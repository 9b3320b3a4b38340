import { KitError } from "../../error.ts";
import { READERS, type ReadBytes } from "../safetensors.ts";
import type { TorchTensor } from "./tensors.ts";

/** A tensor of an open PyTorch file. */
export interface OpenTensor {
  readonly path: string;
  readonly name: string;
  readonly tensor: TorchTensor;
  /** The bytes of its storage. */
  readonly bytes: ReadBytes;
}

/** Reads numbers that follow one another in a storage. */
type ReadRun = (place: number, into: Float32Array) => void;

/**
 * Fills `into` with a tensor's values, row by row, from element `from` on: also those of a part of a larger tensor, and of a transposed
 * one. Throws a KitError for numbers that are no floats, and for strides of other kinds.
 */
export function readStrided({ path, name, tensor, bytes }: OpenTensor, into: Float32Array, from: number): void {
  const { storage, offset } = tensor;
  const read = READERS[storage.dtype.name];
  const fail = (found: string): KitError => new KitError(`Reading "${name}" from ${path} as floats: ${found}.`);
  if (!read) throw fail(`it holds ${storage.dtype.name}; only ${Object.keys(READERS).join(", ")} can be read`);
  if (into.length === 0) return;
  const run: ReadRun = (place, part) => read(bytes, { byteOffset: 0, from: offset + place }, part);
  const grid = findGrid(tensor);
  if (grid?.columnStride === 1) readByRow(run, grid, into, from);
  else if (grid?.rowStride === 1) readByColumn(run, grid, into, from);
  else throw fail(`its strides are [${tensor.strides}] in a shape of [${tensor.shape}]; save a contiguous copy of it`);
}

/** A tensor as a matrix. */
interface Grid {
  readonly columns: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** A tensor without its dimensions of one and with those as one that lie in memory as one; undefined where more than two are left. */
function findGrid({ shape, strides }: TorchTensor): Grid | undefined {
  const merged: { size: number; stride: number }[] = [];
  for (const [i, size] of shape.entries()) {
    const last = merged.at(-1);
    const stride = strides[i]!;
    if (size === 1) continue;
    if (last && last.stride === size * stride) merged[merged.length - 1] = { size: last.size * size, stride };
    else merged.push({ size, stride });
  }
  const [rows = { size: 1, stride: 1 }, columns = { size: 1, stride: 1 }, ...others] = merged;
  if (others.length > 0) return undefined;
  if (merged.length === 1 && rows.stride === 1) return { columns: rows.size, rowStride: rows.size, columnStride: 1 };
  return { columns: columns.size, rowStride: rows.stride, columnStride: columns.stride };
}

function readByRow(run: ReadRun, { columns, rowStride }: Grid, into: Float32Array, from: number): void {
  for (let at = 0; at < into.length; ) {
    const [row, column] = [Math.floor((from + at) / columns), (from + at) % columns];
    const part = into.subarray(at, at + columns - column);
    run(row * rowStride + column, part);
    at += part.length;
  }
}

/** What lies together are parts of columns: those of all rows that `into` has a part of. */
function readByColumn(run: ReadRun, { columns, columnStride }: Grid, into: Float32Array, from: number): void {
  const first = Math.floor(from / columns);
  const part = new Float32Array(Math.floor((from + into.length - 1) / columns) - first + 1);
  for (let column = 0; column < columns; column++) {
    run(first + column * columnStride, part);
    const start = first * columns + column - from;
    for (let i = start < 0 ? 1 : 0; i < part.length && start + i * columns < into.length; i++)
      into[start + i * columns] = part[i]!;
  }
}
