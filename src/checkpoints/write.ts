import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { KitError } from "../error.ts";

/** The name and the shape of a tensor to be written. */
export interface TensorShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A tensor to be written: `data` holds the product of `shape` elements, row by row. */
export interface NamedTensor extends TensorShape {
  readonly data: Float32Array;
}

/** The formats to store numbers in: "F16" and "BF16" halve the file and round to nearest. */
export type StoredAs = "F32" | "F16" | "BF16";

/** How tensors are stored. */
export interface WriteSafetensorsOptions {
  readonly dtype: StoredAs;
}

/** A safetensors file that is being written, under a temporary name. */
export interface SafetensorsWriter {
  /** Writes the values of the next tensor. Throws a KitError where their number does not match its shape, and for a value beyond the file's format. */
  add(data: Float32Array): void;
  /** Gives the complete file its name. */
  finish(): void;
  /** Removes the unfinished file; does nothing after `finish`. */
  abandon(): void;
}

/** Bytes per number of each format, and the size from which values round to infinity. */
const KINDS: Readonly<Record<StoredAs, { readonly bytes: number; readonly limit: number }>> = {
  F32: { bytes: 4, limit: Number.POSITIVE_INFINITY },
  F16: { bytes: 2, limit: 65520 },
  BF16: { bytes: 2, limit: (2 - 2 ** -8) * 2 ** 127 },
};

const ENCODERS = { F16: encodeF16, BF16: encodeBF16 } as const;

/** Elements converted at once. */
const CHUNK = 1 << 20;

/**
 * Writes a safetensors file under a temporary name and renames it when it is complete, so that no file is ever half-written.
 * Throws a KitError for a repeated name, a shape that does not match its data, a value beyond the 16-bit format and a failed write.
 */
export function writeSafetensors(path: string, tensors: Iterable<NamedTensor>, options: WriteSafetensorsOptions): void {
  const list = [...tensors];
  const writer = safetensorsWriter(path, list, options);
  try {
    for (const { data } of list) writer.add(data);
    writer.finish();
  } finally {
    writer.abandon();
  }
}

/** Starts a safetensors file of tensors whose values come one tensor at a time, in this order, so that memory holds one. Throws as `writeSafetensors` does. */
export function safetensorsWriter(
  path: string,
  tensors: readonly TensorShape[],
  { dtype }: WriteSafetensorsOptions,
): SafetensorsWriter {
  checkNames(path, tensors);
  const temporary = `${path}.${process.pid}.tmp`;
  const fd = attempt(path, () => openSync(temporary, "w"));
  let open = true;
  const close = (): void => {
    if (open) closeSync(fd);
    open = false;
  };
  const put = (bytes: Uint8Array): void => attempt(path, () => writeAll(fd, bytes));
  const abandon = (): void => {
    close();
    rmSync(temporary, { force: true });
  };
  let next = 0;
  try {
    put(makeHeader(tensors, dtype));
  } catch (error) {
    abandon();
    throw error;
  }
  return {
    add: (data) => {
      checkValues(path, tensors[next++]!, data, dtype);
      for (let at = 0; at < data.length; at += CHUNK) put(encode(data.subarray(at, at + CHUNK), dtype));
    },
    finish: () => {
      close();
      attempt(path, () => renameSync(temporary, path));
    },
    abandon,
  };
}

function attempt<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw new KitError(`Writing ${path}: ${(error as Error).message}; choose a folder that can be written.`);
  }
}

function makeHeader(tensors: readonly TensorShape[], dtype: StoredAs): Uint8Array {
  const { bytes } = KINDS[dtype];
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } }; // without it older Python loaders refuse a file
  let end = 0;
  for (const { name, shape } of tensors) {
    const begin = end;
    end += sizeOf(shape) * bytes;
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, " "); // the data begin at a multiple of 8
  padded.writeBigUInt64LE(BigInt(padded.length - 8));
  json.copy(padded, 8);
  return padded;
}

function encode(data: Float32Array, dtype: StoredAs): Uint8Array {
  if (dtype === "F32") return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const halves = new Uint16Array(data.length);
  ENCODERS[dtype](data, halves);
  return new Uint8Array(halves.buffer);
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done);
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

function checkNames(path: string, tensors: readonly TensorShape[]): void {
  const names = new Set<string>();
  for (const { name } of tensors) {
    if (names.has(name)) throw new KitError(`Writing ${path}: two tensors are named "${name}"; rename one.`);
    names.add(name);
  }
}

function checkValues(path: string, { name, shape }: TensorShape, data: Float32Array, dtype: StoredAs): void {
  if (sizeOf(shape) !== data.length)
    throw new KitError(`Writing ${path}: "${name}" has shape [${shape}] but ${data.length} elements.`);
  const { limit } = KINDS[dtype];
  if (dtype !== "F32" && data.some((value) => Math.abs(value) >= limit && Number.isFinite(value)))
    throw new KitError(`Writing ${path}: "${name}" has values beyond ${BEYOND[dtype]}; write it as F32.`);
}

const BEYOND = { F16: "float16's 65,504", BF16: "bfloat16's 3.39e38" } as const;

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
