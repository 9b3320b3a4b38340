/** A value of Thrift's compact protocol; 64-bit integers as numbers, beyond 2^53 to the nearest. */
export type Value = boolean | number | Uint8Array | readonly Value[] | Struct;

/** A struct's values by the number of their field. */
export type Struct = ReadonlyMap<number, Value>;

/** A place in bytes, and where they end. */
export interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;
}

const DEEPEST = 32;

const KINDS = {
  true: 1,
  false: 2,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  struct: 12,
} as const;

/** Reads a struct. Throws where it goes beyond the end, is nested too deeply, or states lengths beyond the remaining bytes. */
export function readStruct(cursor: Cursor, depth = 0): Struct {
  if (depth > DEEPEST) throw new Error("a struct of the metadata is nested too deeply");
  const fields = new Map<number, Value>();
  let field = 0;
  for (;;) {
    const byte = readByte(cursor);
    const kind = byte & 15;
    if (kind === 0) return fields;
    field = byte >> 4 ? field + (byte >> 4) : zigzag(readVarint(cursor));
    fields.set(field, readValue(cursor, kind, depth));
  }
}

/** Reads an unsigned number of seven bits per byte. Throws where it has more than 64 bits. */
export function readVarint(cursor: Cursor): number {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = readByte(cursor);
    value += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return value;
  }
  throw new Error("a number is longer than 64 bits");
}

function readByte(cursor: Cursor): number {
  if (cursor.at >= cursor.end) throw new Error("it ends in the middle of a struct");
  return cursor.bytes[cursor.at++]!;
}

function zigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

function readValue(cursor: Cursor, kind: number, depth: number): Value {
  if (kind === KINDS.true || kind === KINDS.false) return kind === KINDS.true;
  if (kind === KINDS.byte) return readByte(cursor);
  if (kind === KINDS.i16 || kind === KINDS.i32 || kind === KINDS.i64) return zigzag(readVarint(cursor));
  if (kind === KINDS.double) return readBytes(cursor, 8);
  if (kind === KINDS.binary) return readBytes(cursor, readVarint(cursor));
  if (kind === KINDS.list) return readList(cursor, depth);
  if (kind === KINDS.struct) return readStruct(cursor, depth + 1);
  throw new Error(`its metadata have a value of the unknown kind ${kind}`);
}

function readBytes(cursor: Cursor, length: number): Uint8Array {
  if (length > cursor.end - cursor.at) throw new Error(`its metadata say ${length} bytes where fewer are left`);
  cursor.at += length;
  return cursor.bytes.subarray(cursor.at - length, cursor.at);
}

function readList(cursor: Cursor, depth: number): Value[] {
  const byte = readByte(cursor);
  const length = byte >> 4 === 15 ? readVarint(cursor) : byte >> 4;
  if (length > cursor.end - cursor.at) throw new Error(`its metadata list ${length} values where fewer are left`);
  if (depth > DEEPEST) throw new Error("a list of the metadata is nested too deeply");
  const kind = byte & 15;
  // In a list a boolean takes a byte.
  const own = kind === KINDS.true || kind === KINDS.false ? KINDS.byte : kind;
  return Array.from({ length }, () => readValue(cursor, own, depth + 1));
}
