import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { KitError } from "../error.ts";
import { decodeBF16, decodeF16 } from "./dtype.ts";
import { parseHeader, type TensorEntry } from "./header.ts";

export type { TensorEntry } from "./header.ts";

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
