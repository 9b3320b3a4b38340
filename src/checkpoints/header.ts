import { KitError, shortened } from "../error.ts";
import { BYTES_PER_ELEMENT } from "./dtype.ts";
import { duplicateKey, isObject } from "./json.ts";

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
