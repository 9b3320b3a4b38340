import { fstatSync } from "node:fs";
import { KitError, shorten } from "../error.ts";
import { duplicateKey, isObject } from "./json.ts";
import { readBytes, type SafetensorsFile, type TensorEntry, withFile } from "./safetensors.ts";

const LENGTH_BYTES = 8;
const MAX_HEADER_BYTES = 100e6; // the limit of the format's own library

/** Opens a safetensors file: reads and checks its header, no tensor. Throws a KitError unless all of it is sound. */
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

/** Bytes per element of each dtype of the format. */
const BYTES_PER_ELEMENT: ReadonlyMap<string, number> = new Map([
  ["F64", 8],
  ["F32", 4],
  ["F16", 2],
  ["BF16", 2],
  ["F8_E4M3", 1],
  ["F8_E5M2", 1],
  ["F8_E8M0", 1],
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

/**
 * The tensors of a header's JSON by name, in the order of their bytes; its free-form __metadata__ is ignored.
 * Throws a KitError unless the tensors fill the `dataLength` bytes after the header without gap or overlap.
 */
function parseHeader(path: string, json: string, dataStart: number, dataLength: number): Map<string, TensorEntry> {
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
  if (twice !== undefined) throw fail(`its header has "${shorten(twice)}" twice`);
  return value;
}

function parseEntry(name: string, value: unknown, dataStart: number, fail: Fail): TensorEntry {
  const { dtype, shape, data_offsets: offsets }: Record<string, unknown> = isObject(value) ? value : {};
  if (typeof dtype !== "string" || !isCounts(shape) || !isCounts(offsets) || offsets.length !== 2) {
    throw fail(`the header's entry "${shorten(name)}" has no dtype, shape or two data_offsets`);
  }
  const [begin, end] = offsets as [number, number];
  const bytes = BYTES_PER_ELEMENT.get(dtype);
  if (bytes === undefined) throw fail(`tensor "${shorten(name)}" has the unknown dtype "${shorten(dtype)}"`);
  const needed = shape.reduce((product, size) => product * size, bytes);
  if (end - begin !== needed) {
    throw fail(
      `tensor "${shorten(name)}" of ${dtype} [${shorten(String(shape))}] needs ${needed} bytes but its offsets span ${end - begin}`,
    );
  }
  return { name, dtype, shape, byteOffset: dataStart + begin, byteLength: needed };
}

function checkLayout(entries: readonly TensorEntry[], start: number, fileLength: number, fail: Fail): void {
  let end = start;
  for (const entry of entries) {
    if (entry.byteOffset < end) throw fail(`tensor "${shorten(entry.name)}" overlaps the one before it`);
    if (entry.byteOffset > end)
      throw fail(`there is a gap of ${entry.byteOffset - end} bytes before "${shorten(entry.name)}"`);
    end += entry.byteLength;
    if (end > fileLength) {
      throw fail(
        `tensor "${shorten(entry.name)}" ends at byte ${end} but the file has ${fileLength} bytes (truncated?)`,
      );
    }
  }
  if (end < fileLength) throw fail(`${fileLength - end} bytes follow its last tensor`);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
