import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { KitError, shortened } from "../error.ts";
import { duplicateKey, isObject } from "./json.ts";

/** Bytes per element of each dtype that a safetensors file may name. */
export const BYTES_PER_ELEMENT: ReadonlyMap<string, number> = new Map([
  ["F64", 8],
  ["F32", 4],
  ["F16", 2],
  ["BF16", 2],
  ["F8_E4M3", 1],
  ["F8_E5M2", 1],
  ["I64", 8],
  ["I32", 4],
  ["I16", 2],
  ["I8", 1],
  ["U64", 8],
  ["U32", 4],
  ["U16", 2],
  ["U8", 1],
  ["BOOL", 1],
]);

let halfTable: Float32Array | undefined;

/** Writes the values of float16 bit patterns into `into`, exactly; both have the same length. */
export function decodeF16(source: Uint16Array, into: Float32Array): void {
  halfTable ??= makeHalfTable();
  const table = halfTable;
  for (let i = 0; i < source.length; i++) into[i] = table[source[i]!]!;
}

/** Writes the values of bfloat16 bit patterns into `into`, exactly; both have the same length. */
export function decodeBF16(source: Uint16Array, into: Float32Array): void {
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
  for (let i = 0; i < source.length; i++) bits[i] = source[i]! << 16;
}

/** Writes the float16 bit patterns nearest to the values of `source` into `into`: ties to even, infinity from 65,520 on. */
export function encodeF16(source: Float32Array, into: Uint16Array): void {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < bits.length; i++) into[i] = nearestHalf(bits[i]!);
}

/** Writes the bfloat16 bit patterns nearest to the values of `source` into `into`: ties to even. */
export function encodeBF16(source: Float32Array, into: Uint16Array): void {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < bits.length; i++) into[i] = nearestBF16(bits[i]!);
}

function nearestBF16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40; // NaN stays one
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
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

function nearestHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00; // NaN
  if (size >= 0x477ff000) return sign | 0x7c00; // 65,520 and above
  if (size >= 0x38800000) return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
  if (size < 0x33000000) return sign; // below half of the smallest subnormal
  return sign | nearestSubnormal(size);
}

function nearestSubnormal(size: number): number {
  const shift = 126 - (size >>> 23); // a subnormal counts units of 2^-24
  const mantissa = (size & 0x7fffff) | 0x800000;
  const down = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return rest > tie || (rest === tie && (down & 1) === 1) ? down + 1 : down;
}

/** One tensor of a safetensors file: where its bytes lie, counted from the start of the file. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly byteOffset: number;
  readonly byteLength: number;
}

/**
 * The tensors of a header's JSON by name, in the order of their bytes; its free-form __metadata__ is left aside.
 * Throws a KitError unless the tensors fill the `dataLength` bytes behind the header without gap or overlap.
 */
export function parseHeader(
  path: string,
  json: string,
  dataStart: number,
  dataLength: number,
): Map<string, TensorEntry> {
  const fail = (found: string) => new KitError(`Reading ${path}: ${found}; download or convert the file again.`);
  const { __metadata__: _, ...descriptions } = parseObject(json, fail);
  const entries = Object.entries(descriptions).map(([name, value]) => parseEntry(name, value, dataStart, fail));
  entries.sort((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength);
  checkLayout(entries, dataStart, dataStart + dataLength, fail);
  return new Map(entries.map((entry) => [entry.name, entry]));
}

type Fail = (found: string) => KitError;

function parseObject(json: string, fail: Fail): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw fail("its header is not JSON");
  }
  if (!isObject(value)) throw fail("its header is not a JSON object");
  const twice = duplicateKey(json);
  if (twice !== undefined) throw fail(`its header has "${shortened(twice)}" twice`);
  return value;
}

function parseEntry(name: string, value: unknown, dataStart: number, fail: Fail): TensorEntry {
  const { dtype, shape, data_offsets: offsets }: Record<string, unknown> = isObject(value) ? value : {};
  if (typeof dtype !== "string" || !isCounts(shape) || !isCounts(offsets) || offsets.length !== 2) {
    throw fail(`the header's entry "${shortened(name)}" lacks a dtype, a shape or two data_offsets`);
  }
  const [begin, end] = offsets as [number, number];
  const bytes = BYTES_PER_ELEMENT.get(dtype);
  if (bytes === undefined) throw fail(`tensor "${shortened(name)}" has the unknown dtype "${shortened(dtype)}"`);
  const needed = shape.reduce((product, size) => product * size, bytes);
  if (end - begin !== needed) {
    throw fail(
      `tensor "${shortened(name)}" of ${dtype} [${shortened(String(shape))}] needs ${needed} bytes but its offsets span ${end - begin}`,
    );
  }
  return { name, dtype, shape, byteOffset: dataStart + begin, byteLength: needed };
}

function checkLayout(entries: readonly TensorEntry[], start: number, fileLength: number, fail: Fail): void {
  let end = start;
  for (const entry of entries) {
    if (entry.byteOffset < end) throw fail(`tensor "${shortened(entry.name)}" overlaps the one before it`);
    if (entry.byteOffset > end)
      throw fail(`there is a gap of ${entry.byteOffset - end} bytes before "${shortened(entry.name)}"`);
    end += entry.byteLength;
    if (end > fileLength) {
      throw fail(
        `tensor "${shortened(entry.name)}" ends at byte ${end} but the file has ${fileLength} bytes (truncated?)`,
      );
    }
  }
  if (end < fileLength) throw fail(`${fileLength - end} bytes follow its last tensor`);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** A safetensors file of which only the header has been read. */
export interface SafetensorsFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

const LENGTH_BYTES = 8;
const MAX_HEADER_BYTES = 100e6; // the limit of the format's own library
const CHUNK_BYTES = 4 << 20;
const MAX_READ_BYTES = 1 << 30; // one read of 2 GiB or more is refused by Node

/** Opens a safetensors file for the tensors that it declares, without reading them; throws a KitError unless all of it is sound. */
export function openSafetensors(path: string): SafetensorsFile {
  return withFile(path, (fd) => {
    const fileLength = fstatSync(fd).size;
    const headerLength = readHeaderLength(fd, path, fileLength);
    const header = readBytes(fd, path, LENGTH_BYTES, new Uint8Array(headerLength));
    const dataStart = LENGTH_BYTES + headerLength;
    const tensors = parseHeader(path, decodeUtf8(path, header), dataStart, fileLength - dataStart);
    return { path, tensors };
  });
}

/**
 * Reads the values of one tensor, row by row, in `into` where it is given (it must have the tensor's number of elements).
 * Half precision is converted a few MiB at a time, so that a checkpoint is never held twice.
 * Throws a KitError for an absent tensor, for one that holds no floats and for a file that was cut since it was opened.
 */
export function readTensor(file: SafetensorsFile, name: string, into?: Float32Array): Float32Array {
  const entry = file.tensors.get(name);
  if (!entry) throw new KitError(`Reading "${name}" from ${file.path}: the file has no such tensor; check the name.`);
  const size = entry.shape.reduce((product, length) => product * length, 1);
  if (into && into.length !== size) {
    throw new KitError(`Reading "${name}" from ${file.path}: it has ${size} elements, the destination ${into.length}.`);
  }
  const values = into ?? new Float32Array(size);
  withFile(file.path, (fd) => readFloats(fd, file.path, entry, values));
  return values;
}

function readFloats(fd: number, path: string, entry: TensorEntry, into: Float32Array): void {
  const { dtype, byteOffset } = entry;
  if (dtype === "F32") readBytes(fd, path, byteOffset, new Uint8Array(into.buffer, into.byteOffset, into.byteLength));
  else if (dtype === "F16") readChunks(fd, path, entry, into, Uint16Array, decodeF16);
  else if (dtype === "BF16") readChunks(fd, path, entry, into, Uint16Array, decodeBF16);
  else if (dtype === "F64") readChunks(fd, path, entry, into, Float64Array, (source, part) => part.set(source));
  else {
    throw new KitError(
      `Reading "${entry.name}" from ${path} as floats: it holds ${dtype}; only F64, F32, F16 and BF16 can be read.`,
    );
  }
}

interface ElementArray<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): T;
}

function readChunks<T>(
  fd: number,
  path: string,
  entry: TensorEntry,
  into: Float32Array,
  Elements: ElementArray<T>,
  decode: (source: T, into: Float32Array) => void,
): void {
  const bytes = Elements.BYTES_PER_ELEMENT;
  const chunk = new ArrayBuffer(Math.min(CHUNK_BYTES, entry.byteLength));
  const perChunk = Math.max(1, chunk.byteLength / bytes);
  for (let at = 0; at < into.length; at += perChunk) {
    const part = into.subarray(at, at + perChunk);
    readBytes(fd, path, entry.byteOffset + at * bytes, new Uint8Array(chunk, 0, part.length * bytes));
    decode(new Elements(chunk, 0, part.length), part);
  }
}

function decodeUtf8(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new KitError(`Reading ${path}: its header is not UTF-8; download or convert the file again.`);
  }
}

function readHeaderLength(fd: number, path: string, fileLength: number): number {
  const fail = (found: string) => new KitError(`Reading ${path}: ${found}; download or convert the file again.`);
  if (fileLength < LENGTH_BYTES) throw fail(`it has ${fileLength} bytes, too few for a safetensors file`);
  const bytes = readBytes(fd, path, 0, new Uint8Array(LENGTH_BYTES));
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const found = `it says that its header has ${length} bytes`;
  if (length > MAX_HEADER_BYTES) throw fail(`${found}, more than any safetensors header (another format?)`);
  if (length > fileLength - LENGTH_BYTES)
    throw fail(`${found} but only ${fileLength - LENGTH_BYTES} follow (truncated?)`);
  return length;
}

function readBytes<T extends Uint8Array>(fd: number, path: string, position: number, into: T): T {
  for (let done = 0; done < into.length; ) {
    const read = readSync(fd, into, done, Math.min(into.length - done, MAX_READ_BYTES), position + done);
    if (read === 0) throw new KitError(`Reading ${path}: it ends at byte ${position + done}; download it again.`);
    done += read;
  }
  return into;
}

function withFile<T>(path: string, use: (fd: number) => T): T {
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
