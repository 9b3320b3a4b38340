import { closeSync, openSync, readSync } from "node:fs";
import { KitError } from "../error.ts";

/** One tensor of a safetensors file: where its bytes lie, counted from the start of the file. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** A tensor of a weight file of any format, of which no value has been read. */
export interface StoredTensor {
  /** The file that holds it. */
  readonly path: string;
  /** What its numbers are stored as, in the format's own word, such as "F16" or "Q4_1". */
  readonly dtype: string;
  readonly shape: readonly number[];
  /**
   * Fills `into` with its values as float32, row by row, beginning with element `from` (0 where left out). Throws a KitError for a
   * tensor that holds no floats and for a file that was truncated.
   */
  readonly read: (into: Float32Array, from?: number) => void;
}

/** A safetensors file of which only the header has been read. */
export interface SafetensorsFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

const CHUNK_BYTES = 1 << 20;
const MAX_READ_BYTES = 1 << 30; // Node refuses reads of 2 GiB or more

/**
 * Reads the values of one tensor, row by row, into `into` where it is given (it must have the tensor's number of elements).
 * Half precision is converted a few MiB at a time, so that a checkpoint is never in memory twice.
 * Throws a KitError for a missing tensor, for one that holds no floats and for a file that has been truncated since it was opened.
 */
export function readTensor(file: SafetensorsFile, name: string, into?: Float32Array): Float32Array {
  const entry = file.tensors.get(name);
  if (!entry) throw new KitError(`Reading "${name}" from ${file.path}: the file has no such tensor; check the name.`);
  const size = entry.shape.reduce((product, length) => product * length, 1);
  if (into && into.length !== size) {
    throw new KitError(`Reading "${name}" from ${file.path}: it has ${size} elements, the destination ${into.length}.`);
  }
  const values = into ?? new Float32Array(size);
  readFloats(file.path, entry, values, 0);
  return values;
}

/** The tensors of a safetensors file, by name. */
export function listStored({ path, tensors }: SafetensorsFile): [string, StoredTensor][] {
  return [...tensors].map(([name, entry]) => {
    const { dtype, shape } = entry;
    return [name, { path, dtype, shape, read: (into, from = 0) => readFloats(path, entry, into, from) }];
  });
}

/** Fills `into` with a tensor's values from element `from` on. */
function readFloats(path: string, entry: TensorEntry, into: Float32Array, from: number): void {
  const { name, dtype, byteOffset } = entry;
  const read = READERS[dtype];
  if (!read)
    throw new KitError(
      `Reading "${name}" from ${path} as floats: it holds ${dtype}; only ${Object.keys(READERS).join(", ")} can be read.`,
    );
  withFile(path, (fd) => read(bytesOf(fd, path), { byteOffset, from }, into));
}

/** Fills `into` with the bytes from a position on. Throws a KitError where they end earlier. */
export type ReadBytes = (position: number, into: Uint8Array) => void;

/** The bytes of an open file. */
export const bytesOf =
  (fd: number, path: string): ReadBytes =>
  (position, into) =>
    void readBytes(fd, path, position, into);

/** Fills `into` from element `from` of the numbers that begin at a byte. */
export type ReadNumbers = (
  bytes: ReadBytes,
  at: { readonly byteOffset: number; readonly from: number },
  into: Float32Array,
) => void;

/** How numbers of the formats of floats are read, by the names that safetensors has for them. */
export const READERS: Readonly<Record<string, ReadNumbers>> = {
  F64: readIn(Float64Array, (source, part) => part.set(source)),
  F32: (bytes, { byteOffset, from }, into) =>
    bytes(byteOffset + 4 * from, new Uint8Array(into.buffer, into.byteOffset, into.byteLength)),
  F16: readIn(Uint16Array, decodeF16),
  BF16: readIn(Uint16Array, decodeBF16),
};

interface ElementArray<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): T;
}

/** Numbers before they are converted. It is kept: a new one at each read would be memory that waits for the garbage collector. */
let chunk: ArrayBuffer | undefined;

function readIn<T>(Elements: ElementArray<T>, decode: (source: T, into: Float32Array) => void): ReadNumbers {
  const size = Elements.BYTES_PER_ELEMENT;
  const perChunk = CHUNK_BYTES / size;
  return (bytes, { byteOffset, from }, into) => {
    chunk ??= new ArrayBuffer(CHUNK_BYTES);
    for (let at = 0; at < into.length; at += perChunk) {
      const part = into.subarray(at, at + perChunk);
      bytes(byteOffset + (from + at) * size, new Uint8Array(chunk, 0, part.length * size));
      decode(new Elements(chunk, 0, part.length), part);
    }
  };
}

/** Fills `into` from a place of an open file. Throws a KitError where the file ends earlier. */
export function readBytes<T extends Uint8Array>(fd: number, path: string, position: number, into: T): T {
  for (let done = 0; done < into.length; ) {
    const read = readSync(fd, into, done, Math.min(into.length - done, MAX_READ_BYTES), position + done);
    if (read === 0) throw new KitError(`Reading ${path}: it ends at byte ${position + done}; download it again.`);
    done += read;
  }
  return into;
}

/** Opens a file, uses it and closes it. Throws a KitError where the file cannot be read. */
export function withFile<T>(path: string, use: (fd: number) => T): T {
  let fd: number | undefined;
  try {
    fd = openSync(path, "r");
    return use(fd);
  } catch (error) {
    if (error instanceof KitError) throw error;
    throw new KitError(`Reading ${path}: ${(error as Error).message}; check the path and its permissions.`);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

let halfTable: Float32Array | undefined;

/** The value of every float16 bit pattern. */
export function halfValues(): Float32Array {
  halfTable ??= makeHalfTable();
  return halfTable;
}

/** Writes the values of float16 bit patterns into `into`, exactly; both have the same length. */
export function decodeF16(source: Uint16Array, into: Float32Array): void {
  const table = halfValues();
  for (let i = 0; i < source.length; i++) into[i] = table[source[i]!]!;
}

/** Writes the values of bfloat16 bit patterns into `into`, exactly; both have the same length. */
export function decodeBF16(source: Uint16Array, into: Float32Array): void {
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
  for (let i = 0; i < source.length; i++) bits[i] = source[i]! << 16;
}

function makeHalfTable(): Float32Array {
  const bits = new Uint32Array(0x10000);
  const values = new Float32Array(bits.buffer);
  for (let half = 0; half < 0x8000; half++) {
    const exponent = half >> 10;
    const mantissa = (half & 0x3ff) << 13;
    if (exponent === 0) values[half] = half * 2 ** -24;
    else bits[half] = ((exponent === 31 ? 255 : exponent + 112) << 23) | mantissa;
    bits[half | 0x8000] = bits[half]! | 0x80000000;
  }
  return values;
}
