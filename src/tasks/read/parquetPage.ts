import type { CompressionCodec, Compressors, ParquetType } from "hyparquet";
import { decompressPage } from "hyparquet/src/datapage.js";
import { deltaBinaryUnpack } from "hyparquet/src/delta.js";
import { readRleBitPackedHybrid } from "hyparquet/src/encoding.js";
import { type Cursor, readStruct, readVarint, type Struct } from "./thrift.ts";

/** The numbers of lists and of optional levels on the path to a column's values. */
export interface Levels {
  readonly repetition: number;
  readonly definition: number;
}

/** What a column's metadata say about its pages. */
export interface Kind extends Levels {
  readonly codec: CompressionCodec;
  readonly type: ParquetType;
  readonly compressors: Compressors;
  /** Whether an earlier page was the column's dictionary. */
  readonly hasDictionary: boolean;
}

/** How many bytes and values may still be read. */
export interface Left {
  bytes: number;
  values: number;
}

/** A page as it is in the file. */
export interface Page {
  readonly header: Struct;
  readonly packed: Uint8Array;
  /** Bytes when unpacked. */
  readonly size: number;
}

const PAGES = { data: 0, dictionary: 2, dataV2: 3 } as const;

/** Encodings by their numbers in the format. */
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

/** Reads a page's header and takes its bytes. Throws where the page goes beyond its column or what may still be read. */
export function readPage(cursor: Cursor, left: Left): Page {
  const header = readStruct(cursor);
  const [size, length] = [header.get(2), header.get(3)];
  if (!isCount(length) || length > cursor.end - cursor.at) throw new Error("a page goes beyond its column");
  if (!isCount(size) || size > left.bytes) throw new Error("its pages unpack to more than is read at once");
  left.bytes -= size;
  cursor.at += length;
  return { header, packed: cursor.bytes.subarray(cursor.at - length, cursor.at), size };
}

/** Whether a page is the dictionary that later pages refer to. */
export function isDictionary({ header }: Page): boolean {
  return header.get(1) === PAGES.dictionary;
}

/** Checks a page and counts the rows that begin on it: none on a dictionary. Throws where its contents are shorter or longer than stated. */
export function checkPage(page: Page, kind: Kind, left: Left): number {
  const type = page.header.get(1);
  if (type === PAGES.data) return checkData(page, kind, left);
  if (type === PAGES.dataV2) return checkDataV2(page, kind, left);
  if (!isDictionary(page)) throw new Error(`it has a page of the unknown type ${type}`);
  takeValues(readFields(page.header, 7), page.size, left);
  return 0;
}

function checkData({ header, packed, size }: Page, kind: Kind, left: Left): number {
  const fields = readFields(header, 5);
  const count = takeValues(fields, left.values, left);
  const bytes = decompressPage(packed, size, kind.codec, kind.compressors);
  const content = { bytes, at: 0, end: bytes.length };
  const rows = kind.repetition > 0 ? countEqual(readLevelsWithLength(content, kind.repetition, count), 0) : count;
  const { definition } = kind;
  const present = definition > 0 ? countEqual(readLevelsWithLength(content, definition, count), definition) : count;
  checkValues(content, fields.get(2), present, kind, left);
  return rows;
}

function checkDataV2({ header, packed, size }: Page, kind: Kind, left: Left): number {
  const fields = readFields(header, 8);
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
  const repetition = readLevels({ bytes: packed, at: 0, end: ends[0] }, kind.repetition, count);
  const definition = readLevels({ bytes: packed, at: ends[0], end: ends[1] }, kind.definition, count);
  const present = kind.definition > 0 ? countEqual(definition, kind.definition) : count;
  if (present !== count - nulls) throw new Error("a page counts its absent values wrong");
  const rest = packed.subarray(ends[1]);
  const bytes = fields.get(7) === false ? rest : decompressPage(rest, size - ends[1], kind.codec, kind.compressors);
  checkValues({ bytes, at: 0, end: bytes.length }, fields.get(4), present, kind, left);
  return kind.repetition > 0 ? countEqual(repetition, 0) : count;
}

function checkValues(content: Cursor, encoding: unknown, count: number, kind: Kind, left: Left): void {
  if (count === 0) return;
  if (encoding === ENCODINGS.dictionary || encoding === ENCODINGS.plainDictionary) {
    if (!kind.hasDictionary) throw new Error("a page refers to a dictionary that the column does not have");
    const width = content.bytes[content.at++] ?? 0;
    if (width > 0) checkRuns(content, width, count);
  } else if (encoding === ENCODINGS.runs) {
    if (kind.type !== "BOOLEAN") throw new Error("a page has runs of values that are not true or false");
    checkRuns(takeWithLength(content), 1, count);
  } else if (encoding === ENCODINGS.deltas || encoding === ENCODINGS.deltaLengths) {
    checkDeltas(content, count);
  } else if (encoding === ENCODINGS.deltaTexts) {
    checkDeltaTexts(content, count, left);
  } else if (encoding === ENCODINGS.plain || encoding === ENCODINGS.byteStreams) {
    const least = encoding === ENCODINGS.plain && kind.type === "BOOLEAN" ? count / 8 : count;
    if (content.end - content.at < least) throw new Error("a page has fewer bytes than values");
  } else throw new Error(`it has a page of the unknown encoding ${encoding}`);
}

/** Checks texts of which each shares a prefix with the one before: unpacked, they may be far longer than the page. */
function checkDeltaTexts(content: Cursor, count: number, left: Left): void {
  const lengths = [readDeltas(content, count), readDeltas(content, count)] as const;
  let before = 0;
  for (let i = 0; i < count; i++) {
    const [shared, own] = [lengths[0][i]!, lengths[1][i]!];
    left.bytes -= shared + own;
    if (shared < 0 || own < 0 || shared > before || left.bytes < 0)
      throw new Error("a page has texts of wrong lengths");
    before = shared + own;
  }
}

function readDeltas(content: Cursor, count: number): Int32Array {
  const values = new Int32Array(count);
  const start = content.at;
  checkDeltas(content, count);
  deltaBinaryUnpack({ view: makeView(content), offset: start }, count, values);
  return values;
}

/** Walks over `count` numbers that are packed as differences in blocks. */
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

/** The levels of `count` values after their length. */
function readLevelsWithLength(content: Cursor, deepest: number, count: number): number[] {
  return readLevels(takeWithLength(content), deepest, count);
}

function readLevels(content: Cursor, deepest: number, count: number): number[] {
  if (deepest === 0) return [];
  const width = 32 - Math.clz32(deepest);
  const start = content.at;
  checkRuns(content, width, count);
  const values = new Array<number>(count);
  readRleBitPackedHybrid({ view: makeView(content), offset: start }, width, values, content.end - start);
  return values;
}

/** Packed values are written in groups, of 8 by most writers and of 256 by DuckDB, so the last group may have as many extra values. */
const FILLED_UP = 511;

/** Walks over runs of repeated and of packed values up to `count` values. */
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

/** Takes the part of a page whose length is in the next four bytes. */
function takeWithLength(content: Cursor): Cursor {
  if (content.end - content.at < 4) throw new Error("a page ends in the middle of a length");
  const at = content.at + 4;
  const end = at + makeView(content).getUint32(content.at, true);
  if (end > content.end) throw new Error("a page says lengths that it does not have");
  content.at = end;
  return { bytes: content.bytes, at, end };
}

/** Takes the number of values in a page's header: at most `most`, and at most what may still be read. */
function takeValues(fields: Struct, most: number, left: Left): number {
  const count = fields.get(1);
  if (!isCount(count) || count > Math.min(most, left.values))
    throw new Error(`a page says that it has ${count} values`);
  left.values -= count;
  return count;
}

function readFields(header: Struct, field: number): Struct {
  const fields = header.get(field);
  if (fields instanceof Map) return fields;
  throw new Error("a page's header does not fit its type");
}

function countEqual(values: readonly number[], wanted: number): number {
  return values.reduce((count, value) => count + (value === wanted ? 1 : 0), 0);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function makeView({ bytes }: Cursor): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
