import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { type Compressors, parquetReadObjects } from "hyparquet";
import { decompressLz4Raw, decompressZstd } from "hyparquet-compressors";
import { KitError, shortened } from "../../error.ts";
import { MOST_BYTES } from "./bytes.ts";
import { checkParquet } from "./parquetCheck.ts";
import type { ParsedRow } from "./rows.ts";

/** How pages are unpacked, beside Snappy's: each writes at most the length that the page says. */
const COMPRESSORS: Compressors = {
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
  ZSTD: (input, length) => decompressZstd(input, new Uint8Array(length)),
  LZ4_RAW: (input, length) => (length === 0 ? new Uint8Array(0) : decompressLz4Raw(input, length)),
};

/** Shapes on maps are no use to a language model, and their reader trusts the lengths in them. */
const PARSERS = { geometryFromBytes: () => undefined, geographyFromBytes: () => undefined };

/** The rows of a Parquet file's bytes; 64-bit integers become numbers. Throws a KitError where it is none, is broken, or holds too much. */
export async function parseParquet(bytes: Buffer, path: string): Promise<ParsedRow[]> {
  try {
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    const metadata = checkParquet(file, COMPRESSORS);
    const rows = await parquetReadObjects({ file, metadata, compressors: COMPRESSORS, parsers: PARSERS });
    const left = { characters: MOST_BYTES };
    return rows.map((row, i) => ({ fields: plain(row, left) as ParsedRow["fields"], place: `row ${i + 1}` }));
  } catch (error) {
    throw new KitError(`Cannot read ${path} as Parquet (${reasonOf(error)}); download it again, or give JSON Lines.`);
  }
}

/** What is wrong with a file; where its reader stumbles over a part that is not there, that tells nobody anything. */
function reasonOf(error: unknown): string {
  const { message } = error as Error;
  return message.includes("undefined") ? "a part of it is damaged or missing" : shortened(message);
}

/** The value with bigints as numbers. Throws where texts, which many rows may share in the file, are too long for all of them. */
function plain(value: unknown, left: { characters: number }): unknown {
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "string") {
    left.characters -= value.length;
    if (left.characters < 0) throw new Error(`its texts unpack to more than ${MOST_BYTES / 2 ** 20} MiB`);
  }
  if (Array.isArray(value)) return value.map((item) => plain(item, left));
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner, left)]));
}
