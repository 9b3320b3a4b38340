import type { CompressionCodec, Compressors, ParquetType } from "hyparquet";
import { decompressPage } from "hyparquet/src/datapage.js";
import { deltaBinaryUnpack } from "hyparquet/src/delta.js";
import { readRleBitPackedHybrid } from "hyparquet/src/encoding.js";
import { type Cursor, readStruct, readVarint, type Struct } from "./thrift.ts";

/** How many lists, and how many levels that may be absent, are on the way to a column's values. */
export interface Levels {
  readonly repetition: number;
  readonly definition: number;
}

/** What a column says of its pages. */
export interface Kind extends Levels {
  readonly codec: CompressionCodec;
  readonly type: ParquetType;
  readonly compressors: Compressors;
  /** Whether a page before had the values that numbers stand for. */
  readonly hasDictionary: boolean;
}

/** How many bytes and values may still come. */
export interface Left {
  bytes: number;
  values: number;
}

/** A page as it lies in the file. */
export interface Page {
  readonly header: Struct;
  readonly packed: Uint8Array;
  /** Bytes when unpacked. */
  readonly size: number;
}

const PAGES = { data: 0, dictionary: 2, dataV2: 3 } as const;

/** By the number of each in the format. */
const ENCODINGS = {
  plain: 0,
  plainDictionary: 2,
  runs: 3,
  deltas: 5,
  deltaLengths: 6,
  deltaTexts: 7,
  dictionary: 8,
  byteStreams: 9,
} as const;

/** Reads a page's header, and takes what is behind it. Throws where these go beyond the column or what may still come. */
export function readPage(cursor: Cursor, left: Left): Page {
  const header = readStruct(cursor);
  const [size, length] = [header.get(2), header.get(3)];
  if (!isCount(length) || length > cursor.end - cursor.at) throw new Error("a page goes beyond its column");
  if (!isCount(size) || size > left.bytes) throw new Error("its pages unpack to more than is read at once");
  left.bytes -= size;
  cursor.at += length;
  return { header, packed: cursor.bytes.subarray(cursor.at - length, cursor.at), size };
}

/** Whether a page has the values that numbers on later pages stand for. */
export function isDictionary({ header }: Page): boolean {
  return header.get(1) === PAGES.dictionary;
}

/** The rows that begin on a page: none on a dictionary's. Throws where its contents are not as long as it says. */
export function checkPage(page: Page, kind: Kind, left: Left): number {
  const type = page.header.get(1);
  if (type === PAGES.data) return checkData(page, kind, left);
  if (type === PAGES.dataV2) return checkDataV2(page, kind, left);
  if (!isDictionary(page)) throw new Error(`it has a page of the unknown type ${type}`);
  takeValues(fieldsOf(page.header, 7), page.size, left);
  return 0;
}

function checkData({ header, packed, size }: Page, kind: Kind, left: Left): number {
  const fields = fieldsOf(header, 5);
  const count = takeValues(fields, left.values, left);
  const bytes = decompressPage(packed, size, kind.codec, kind.compressors);
  const content = { bytes, at: 0, end: bytes.length };
  const rows = kind.repetition > 0 ? equal(levelsWithLength(content, kind.repetition, count), 0) : count;
  const { definition } = kind;
  const present = definition > 0 ? equal(levelsWithLength(content, definition, count), definition) : count;
  checkValues(content, fields.get(2), present, kind, left);
  return rows;
}

function checkDataV2({ header, packed, size }: Page, kind: Kind, left: Left): number {
  const fields = fieldsOf(header, 8);
  const count = takeValues(fields, left.values, left);
  const [nulls, definitions, repetitions] = [fields.get(2), fields.get(5), fields.get(6)];
  if (
    !isCount(nulls) ||
    !isCount(definitions) ||
    !isCount(repetitions) ||
    definitions + repetitions > Math.min(size, packed.length)
  )
    throw new Error("a page says lengths that it does not have");
  const ends = [repetitions, repetitions + definitions] as const;
  const repetition = levels({ bytes: packed, at: 0, end: ends[0] }, kind.repetition, count);
  const definition = levels({ bytes: packed, at: ends[0], end: ends[1] }, kind.definition, count);
  const present = kind.definition > 0 ? equal(definition, kind.definition) : count;
  if (present !== count - nulls) throw new Error("a page counts its absent values wrong");
  const rest = packed.subarray(ends[1]);
  const bytes = fields.get(7) === false ? rest : decompressPage(rest, size - ends[1], kind.codec, kind.compressors);
  checkValues({ bytes, at: 0, end: bytes.length }, fields.get(4), present, kind, left);
  return kind.repetition > 0 ? equal(repetition, 0) : count;
}

function checkValues(content: Cursor, encoding: unknown, count: number, kind: Kind, left: Left): void {
  if (count === 0) return;
  if (encoding === ENCODINGS.dictionary || encoding === ENCODINGS.plainDictionary) {
    if (!kind.hasDictionary) throw new Error("a page has numbers that stand for values, but these are nowhere");
    const width = content.bytes[content.at++] ?? 0;
    if (width > 0) checkRuns(content, width, count);
  } else if (encoding === ENCODINGS.runs) {
    if (kind.type !== "BOOLEAN") throw new Error("a page has runs of values that are not true or false");
    checkRuns(withLength(content), 1, count);
  } else if (encoding === ENCODINGS.deltas || encoding === ENCODINGS.deltaLengths) {
    checkDeltas(content, count);
  } else if (encoding === ENCODINGS.deltaTexts) {
    checkDeltaTexts(content, count, left);
  } else if (encoding === ENCODINGS.plain || encoding === ENCODINGS.byteStreams) {
    const least = encoding === ENCODINGS.plain && kind.type === "BOOLEAN" ? count / 8 : count;
    if (content.end - content.at < least) throw new Error("a page has fewer bytes than values");
  } else throw new Error(`it has a page of the unknown encoding ${encoding}`);
}

/** The texts of a page of which each begins as the one before it: their lengths add up to more than the page has. */
function checkDeltaTexts(content: Cursor, count: number, left: Left): void {
  const lengths = [deltas(content, count), deltas(content, count)] as const;
  let before = 0;
  for (let i = 0; i < count; i++) {
    const [shared, own] = [lengths[0][i]!, lengths[1][i]!];
    left.bytes -= shared + own;
    if (shared < 0 || own < 0 || shared > before || left.bytes < 0)
      throw new Error("a page has texts of wrong lengths");
    before = shared + own;
  }
}

function deltas(content: Cursor, count: number): Int32Array {
  const values = new Int32Array(count);
  const start = content.at;
  checkDeltas(content, count);
  deltaBinaryUnpack({ view: viewOf(content), offset: start }, count, values);
  return values;
}

/** Goes over `count` numbers that are packed as differences in blocks. */
function checkDeltas(content: Cursor, count: number): void {
  const [block, parts, total] = [readVarint(content), readVarint(content), readVarint(content)];
  readVarint(content);
  const each = block / parts;
  if (!(Number.isInteger(each) && each > 0 && each % 8 === 0 && block < 2 ** 24) || total < count)
    throw new Error("a page has blocks of a wrong length");
  for (let seen = 1; seen < count; ) {
    readVarint(content);
    const widths = content.bytes.subarray(content.at, content.at + parts);
    content.at += parts;
    for (const width of widths) {
      if (seen >= count) break;
      if (width > 64) throw new Error("a page has numbers of more than 64 bits");
      content.at += (each * width) / 8;
      seen += each;
    }
    if (content.at > content.end) throw new Error("a page is shorter than its blocks");
  }
}

/** The levels of `count` values behind their own length. */
function levelsWithLength(content: Cursor, deepest: number, count: number): number[] {
  return levels(withLength(content), deepest, count);
}

function levels(content: Cursor, deepest: number, count: number): number[] {
  if (deepest === 0) return [];
  const width = 32 - Math.clz32(deepest);
  const start = content.at;
  checkRuns(content, width, count);
  const values = new Array<number>(count);
  readRleBitPackedHybrid({ view: viewOf(content), offset: start }, width, values, content.end - start);
  return values;
}

/** Packed values are written in groups, of 8 by most writers and of 256 by DuckDB, so that the last group may be filled up by as many. */
const FILLED_UP = 511;

/** Goes over runs of repeated and of packed values until they are `count`. */
function checkRuns(content: Cursor, width: number, count: number): void {
  if (width > 32) throw new Error("a page has numbers of more than 32 bits");
  for (let seen = 0; seen < count; ) {
    const header = readVarint(content);
    const packed = header % 2 === 1;
    const values = packed ? 8 * ((header - 1) / 2) : header / 2;
    if (values > count - seen + (packed ? FILLED_UP : 0))
      throw new Error("a page has runs of more values than it says");
    content.at += packed ? (values * width) / 8 : Math.ceil(width / 8);
    seen += values;
  }
}

/** The part of a page that its first four bytes give the length of, which is then behind it. */
function withLength(content: Cursor): Cursor {
  if (content.end - content.at < 4) throw new Error("a page ends in the middle of a length");
  const at = content.at + 4;
  const end = at + viewOf(content).getUint32(content.at, true);
  if (end > content.end) throw new Error("a page says lengths that it does not have");
  content.at = end;
  return { bytes: content.bytes, at, end };
}

/** The number of values that a page's own header says, no more than `most` and than may still come. */
function takeValues(fields: Struct, most: number, left: Left): number {
  const count = fields.get(1);
  if (!isCount(count) || count > Math.min(most, left.values))
    throw new Error(`a page says that it has ${count} values`);
  left.values -= count;
  return count;
}

function fieldsOf(header: Struct, field: number): Struct {
  const fields = header.get(field);
  if (fields instanceof Map) return fields;
  throw new Error("a page's header does not fit its type");
}

function equal(values: readonly number[], wanted: number): number {
  return values.reduce((count, value) => count + (value === wanted ? 1 : 0), 0);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function viewOf({ bytes }: Cursor): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
