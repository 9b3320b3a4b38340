import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { type Compressors, type FileMetaData, parquetMetadata, parquetReadObjects, parquetSchema } from "hyparquet";
import { decompressLz4, decompressLz4Raw, decompressZstd } from "hyparquet-compressors";
import { KitError, shorten, showValue } from "../../error.ts";
import { checkPage, isDictionary, type Left, type Levels, readPage } from "./parquetPage.ts";
import type { ParsedRow } from "./table.ts";
import { MOST_BYTES, MOST_ROWS } from "./text.ts";
import { type Cursor, readStruct, type Struct, type Value } from "./thrift.ts";

type Column = FileMetaData["row_groups"][number]["columns"][number];
type Schema = ReturnType<typeof parquetSchema>;

/** The most values in all columns together. */
const MOST_VALUES = 10 * MOST_ROWS;
/** More bytes than any decimal in use has: the reader's time grows with their square. */
const LONGEST_DECIMAL = 32;

/**
 * The metadata of a Parquet file after checking every length in it: the reader loops and allocates by the counts that it reads, so that a
 * file of some hundred bytes could keep it busy forever. Throws an Error that says what is wrong.
 */
export function checkParquet(file: ArrayBuffer, compressors: Compressors): FileMetaData {
  const bytes = new Uint8Array(file);
  const end = bytes.length - 8;
  const start = end - (end < 4 ? 0 : new DataView(file).getUint32(end, true));
  if (start < 4) throw new Error("it is truncated, or not Parquet");
  checkDecimals(readStruct({ bytes, at: start, end }));
  const metadata = parquetMetadata(file, { geoparquet: false });
  const schema = parquetSchema(metadata);
  checkNames(schema);
  checkRows(metadata);
  const left = { bytes: MOST_BYTES, values: MOST_VALUES };
  for (const { columns, num_rows } of metadata.row_groups)
    for (const column of columns)
      checkColumn(column, Number(num_rows), schema, { bytes, end: start, compressors, left });
  return metadata;
}

const FIXED_LENGTH = 7;
const BYTE_ARRAY = 6;
const DECIMAL = 5;

/** Checks the lengths of decimals and of their statistics, before the reader converts them. */
function checkDecimals(footer: Struct): void {
  const leaves = structs(footer.get(2)).filter((element) => element.has(1));
  const isDecimal = leaves.map((element) => element.get(6) === DECIMAL);
  const long = leaves.some(
    (element, i) =>
      isDecimal[i] &&
      (element.get(1) === BYTE_ARRAY || (element.get(1) === FIXED_LENGTH && Number(element.get(2)) > LONGEST_DECIMAL)),
  );
  const statistics = structs(footer.get(4)).flatMap((group) =>
    structs(group.get(1))
      .filter((_, i) => isDecimal[i])
      .map((column) => inner(inner(column, 3), 12)),
  );
  if (
    long ||
    statistics.some((some) =>
      [...some.values()].some((value) => value instanceof Uint8Array && value.length > LONGEST_DECIMAL),
    )
  )
    throw new Error(`a column has decimals of more than ${LONGEST_DECIMAL} bytes`);
}

function structs(value: Value | undefined): Struct[] {
  return Array.isArray(value) ? value.filter((item): item is Struct => item instanceof Map) : [];
}

function inner(struct: Struct, field: number): Struct {
  const value = struct.get(field);
  return value instanceof Map ? value : new Map();
}

function checkNames({ children }: Schema): void {
  const names = children.map(({ element }) => element.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`the column ${showValue(twice)} is there twice`);
}

function checkRows({ row_groups }: FileMetaData): void {
  const rows = row_groups.reduce((sum, { num_rows }) => sum + Math.abs(Number(num_rows)), 0);
  if (!(rows <= MOST_ROWS)) throw new Error(`it has ${rows} rows, and at most ${MOST_ROWS} are read at once`);
  if (row_groups.some(({ columns, num_rows }) => num_rows > 0 && columns.length === 0))
    throw new Error("it has no columns");
}

/** What a column's check needs of the file. */
interface Place {
  readonly bytes: Uint8Array;
  /** The end of the pages and the start of the metadata. */
  readonly end: number;
  readonly compressors: Compressors;
  readonly left: Left;
}

/** Checks every page of a column, and that the pages have a value for each row. */
function checkColumn({ meta_data: meta, file_path }: Column, rows: number, schema: Schema, place: Place): void {
  if (!meta || file_path) throw new Error("it keeps columns in other files");
  const name = meta.path_in_schema.join(".");
  const levels = countLevels(schema, meta.path_in_schema);
  const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
  const end = start + Number(meta.total_compressed_size);
  if (!(start >= 4 && end >= start && end <= place.end))
    throw new Error(`the column ${showValue(name)} is outside the file`);
  const cursor: Cursor = { bytes: place.bytes, at: start, end };
  const { codec, type } = meta;
  const { compressors, left } = place;
  let [found, hasDictionary] = [0, false];
  while (cursor.at < end - 1 && (levels.repetition > 0 || found < rows)) {
    const page = readPage(cursor, left);
    hasDictionary ||= isDictionary(page);
    found += checkPage(page, { ...levels, codec, type, compressors, hasDictionary }, left);
  }
  if (found !== rows) throw new Error(`the column ${showValue(name)} has ${found} values for ${rows} rows`);
}

/** Counts the lists and the optional levels on the path to a column. */
function countLevels(schema: Schema, path: readonly string[]): Levels {
  let [tree, repetition, definition] = [schema, 0, 0];
  for (const name of path) {
    const child = tree.children.find(({ element }) => element.name === name);
    if (!child) throw new Error(`the column ${showValue(path.join("."))} is not in its schema`);
    if (child.element.logical_type?.type === "VARIANT") throw new Error("it has a column of the type VARIANT");
    if (child.element.repetition_type !== "REQUIRED") definition++;
    if (child.element.repetition_type === "REPEATED") repetition++;
    tree = child;
  }
  return { repetition, definition };
}

/** Decompressors other than Snappy's: each writes at most the length that the page states. */
const COMPRESSORS: Compressors = {
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
  ZSTD: (input, length) => decompressZstd(input, new Uint8Array(length)),
  LZ4: (input, length) => (hasFrames(input) ? decompressLz4 : COMPRESSORS.LZ4_RAW!)(input, length),
  LZ4_RAW: (input, length) => (length === 0 ? new Uint8Array(0) : decompressLz4Raw(input, length)),
};

/** Whether a page is in Hadoop's frames, each after its lengths unpacked and packed; with a negative one the unpacker would never end. */
function hasFrames(page: Uint8Array): boolean {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  let at = 0;
  while (at + 8 <= page.length) {
    const packed = view.getInt32(at + 4);
    if (packed <= 0) return false;
    at += 8 + packed;
  }
  return at > 0 && at === page.length;
}

/** Geometries are of no use to a language model, and their parser trusts the lengths in them. */
const PARSERS = { geometryFromBytes: () => undefined, geographyFromBytes: () => undefined };

/** The rows of a Parquet file's bytes; 64-bit integers become numbers. Throws a KitError for bytes that are not Parquet, damaged or too large. */
export async function parseParquet(bytes: Buffer, path: string): Promise<ParsedRow[]> {
  try {
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    const metadata = checkParquet(file, COMPRESSORS);
    const rows = await parquetReadObjects({ file, metadata, compressors: COMPRESSORS, parsers: PARSERS });
    const left = { characters: MOST_BYTES };
    return rows.map((row, i) => ({ fields: toPlain(row, left) as ParsedRow["fields"], place: `row ${i + 1}` }));
  } catch (error) {
    throw new KitError(
      `Cannot read ${path} as Parquet (${describeFault(error)}); download it again, or give JSON Lines.`,
    );
  }
}

/** What is wrong with a file; the reader's own errors about undefined values would tell the user nothing. */
function describeFault(error: unknown): string {
  const { message } = error as Error;
  return message.includes("undefined") ? "a part of it is damaged or missing" : shorten(message);
}

/** The value with bigints as numbers. Throws where the texts, which many rows may share in the file, add up to too much. */
function toPlain(value: unknown, left: { characters: number }): unknown {
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "string") {
    left.characters -= value.length;
    if (left.characters < 0) throw new Error(`its texts unpack to more than ${MOST_BYTES / 2 ** 20} MiB`);
  }
  if (Array.isArray(value)) return value.map((item) => toPlain(item, left));
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, toPlain(inner, left)]));
}
