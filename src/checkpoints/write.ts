import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { KitError } from "../error.ts";
import { encodeF16 } from "./dtype.ts";

/** A tensor to be written: `data` holds the product of `shape` elements, row by row. */
export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** How tensors are stored: "F16" halves the file and rounds to nearest. */
export interface WriteSafetensorsOptions {
  readonly dtype: "F32" | "F16";
}

const HALF_LIMIT = 65520; // from here on float16 rounds to infinity

/**
 * Writes a safetensors file under a temporary name and renames it when it is complete, so that none is ever half-written.
 * Throws a KitError for a repeated name, a shape that does not fit its data, a value beyond float16 and a failed write.
 */
export function writeSafetensors(
  path: string,
  tensors: Iterable<NamedTensor>,
  { dtype }: WriteSafetensorsOptions,
): void {
  const list = [...tensors];
  checkTensors(path, list, dtype);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFile(temporary, list, dtype);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new KitError(`Writing ${path}: ${(error as Error).message}; choose a folder that can be written.`);
  }
}

function writeFile(path: string, tensors: readonly NamedTensor[], dtype: "F32" | "F16"): void {
  const fd = openSync(path, "w");
  try {
    writeAll(fd, makeHeader(tensors, dtype));
    for (const { data } of tensors) writeAll(fd, encode(data, dtype));
  } finally {
    closeSync(fd);
  }
}

function makeHeader(tensors: readonly NamedTensor[], dtype: "F32" | "F16"): Uint8Array {
  const bytes = dtype === "F32" ? 4 : 2;
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } }; // without it older Python loaders refuse a file
  let end = 0;
  for (const { name, shape, data } of tensors) {
    const begin = end;
    end += data.length * bytes;
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, " "); // the data begin at a multiple of 8
  padded.writeBigUInt64LE(BigInt(padded.length - 8));
  json.copy(padded, 8);
  return padded;
}

function encode(data: Float32Array, dtype: "F32" | "F16"): Uint8Array {
  if (dtype === "F32") return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const halves = new Uint16Array(data.length);
  encodeF16(data, halves);
  return new Uint8Array(halves.buffer);
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, Math.min(bytes.length - done, 1 << 30));
}

function checkTensors(path: string, tensors: readonly NamedTensor[], dtype: "F32" | "F16"): void {
  const names = new Set<string>();
  for (const { name, shape, data } of tensors) {
    const size = shape.reduce((product, length) => product * length, 1);
    if (size !== data.length) {
      throw new KitError(`Writing ${path}: "${name}" has shape [${shape}] but ${data.length} elements.`);
    }
    if (names.has(name)) throw new KitError(`Writing ${path}: two tensors are named "${name}"; rename one.`);
    if (dtype === "F16" && data.some((value) => Math.abs(value) >= HALF_LIMIT && Number.isFinite(value))) {
      throw new KitError(`Writing ${path}: "${name}" has values beyond float16's 65,504; write it as F32.`);
    }
    names.add(name);
  }
}
