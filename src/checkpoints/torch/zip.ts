import { Inflate } from "fflate";
import { KitError, shorten } from "../../error.ts";
import { bytesOf, type ReadBytes } from "../safetensors.ts";

/** A file in a zip archive, of which only the directory has been read. */
export interface ZipEntry {
  readonly name: string;
  /** Its bytes, and how many of the archive they take. */
  readonly size: number;
  readonly packedSize: number;
  readonly deflated: boolean;
  /** Where the header before its bytes begins. */
  readonly headerOffset: number;
}

/** An open archive. */
export interface ZipFile {
  readonly fd: number;
  readonly path: string;
  readonly size: number;
}

const END = { signature: 0x06054b50, bytes: 22 };
const LOCATOR = { signature: 0x07064b50, bytes: 20 };
const END64 = { signature: 0x06064b50, bytes: 56 };
const ENTRY = { signature: 0x02014b50, bytes: 46 };
const LOCAL = { signature: 0x04034b50, bytes: 30 };
const LONGEST_COMMENT = 0xffff;
const MAX_DIRECTORY_BYTES = 16e6; // a hundred times what a model of a thousand tensors has
/** Deflating cannot make anything smaller than by this. */
const MOST_INFLATED = 1032;
/** What a 32-bit field holds whose value stands in an extra field of 64 bits. */
const ELSEWHERE = 0xffffffff;

/** The files of an archive by name, also of one beyond 4 GiB (zip64). Throws a KitError unless its directory is sound. */
export function listZip(file: ZipFile): ReadonlyMap<string, ZipEntry> {
  const { start, size } = findDirectory(file);
  if (size > MAX_DIRECTORY_BYTES || start + size > file.size) throw damaged(file, "its directory lies outside of it");
  const view = read(file, start, size);
  const entries = new Map<string, ZipEntry>();
  for (let at = 0; at < size; ) {
    const { entry, next } = readEntry(file, view, at);
    if (entries.has(entry.name)) throw damaged(file, `it has "${shorten(entry.name)}" twice`);
    entries.set(entry.name, entry);
    at = next;
  }
  return entries;
}

/** The bytes of an entry. One that is deflated is inflated from its start at every read, in memory of fixed size. Throws a KitError where it does not lie in the archive. */
export function readEntryBytes(file: ZipFile, entry: ZipEntry): ReadBytes {
  const header = read(file, entry.headerOffset, LOCAL.bytes);
  if (header.getUint32(0, true) !== LOCAL.signature)
    throw damaged(file, `"${shorten(entry.name)}" is not where its directory says`);
  const start = entry.headerOffset + LOCAL.bytes + header.getUint16(26, true) + header.getUint16(28, true);
  if (start + entry.packedSize > file.size) throw damaged(file, `"${shorten(entry.name)}" is cut off`);
  const whole = bytesOf(file.fd, file.path);
  return (position, into) => {
    if (position + into.length > entry.size)
      throw damaged(file, `"${shorten(entry.name)}" has ${entry.size} bytes, fewer than belong there`);
    if (!entry.deflated) whole(start + position, into);
    else inflateRange(file, { ...entry, start }, position, into);
  };
}

const damaged = ({ path }: ZipFile, found: string): KitError =>
  new KitError(`Reading ${path}: ${found}; download it again.`);

function read(file: ZipFile, position: number, count: number): DataView {
  if (position < 0 || position + count > file.size) throw damaged(file, "it ends within its own directory");
  const bytes = new Uint8Array(count);
  bytesOf(file.fd, file.path)(position, bytes);
  return new DataView(bytes.buffer);
}

/** A number of 64 bits; none that a file can have is inexact. */
const long = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

/** Where the directory lies, of which the end of the archive tells, before a comment of unknown length. */
function findDirectory(file: ZipFile): { readonly start: number; readonly size: number } {
  const first = Math.max(0, file.size - END.bytes - LONGEST_COMMENT);
  const tail = read(file, first, file.size - first);
  for (let at = tail.byteLength - END.bytes; at >= 0; at--) {
    if (tail.getUint32(at, true) !== END.signature) continue;
    const locator = at - LOCATOR.bytes;
    if (locator >= 0 && tail.getUint32(locator, true) === LOCATOR.signature)
      return readEnd64(file, long(tail, locator + 8));
    return { start: tail.getUint32(at + 16, true), size: tail.getUint32(at + 12, true) };
  }
  throw damaged(file, "it is no whole zip archive");
}

function readEnd64(file: ZipFile, position: number): { readonly start: number; readonly size: number } {
  const end = read(file, position, END64.bytes);
  if (end.getUint32(0, true) !== END64.signature) throw damaged(file, "its directory is not where its end says");
  return { start: long(end, 48), size: long(end, 40) };
}

function readEntry(file: ZipFile, view: DataView, at: number): { readonly entry: ZipEntry; readonly next: number } {
  if (at + ENTRY.bytes > view.byteLength || view.getUint32(at, true) !== ENTRY.signature)
    throw damaged(file, "its directory is damaged");
  const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
  const extra = at + ENTRY.bytes + nameBytes!;
  const next = extra + extraBytes! + commentBytes!;
  if (next > view.byteLength) throw damaged(file, "its directory is damaged");
  const name = new TextDecoder().decode(new Uint8Array(view.buffer, at + ENTRY.bytes, nameBytes));
  const method = view.getUint16(at + 10, true);
  if (method !== 0 && method !== 8) throw damaged(file, `"${shorten(name)}" is packed in the unknown way ${method}`);
  if (view.getUint16(at + 8, true) & 1) throw damaged(file, `"${shorten(name)}" is encrypted`);
  const [size, packedSize, headerOffset] = readSizes(view, at, { from: extra, to: extra + extraBytes! });
  if (method === 0 ? packedSize !== size : size! > MOST_INFLATED * packedSize!)
    throw damaged(file, `"${shorten(name)}" has ${size} bytes in ${packedSize}`);
  return {
    entry: { name, size: size!, packedSize: packedSize!, deflated: method === 8, headerOffset: headerOffset! },
    next,
  };
}

/** The size, the packed size and the header's place of an entry: those that 32 bits do not hold follow in an extra field, in this order. */
function readSizes(view: DataView, at: number, extra: { readonly from: number; readonly to: number }): number[] {
  let long64 = findExtra(view, extra);
  return [24, 20, 42].map((field) => {
    const short = view.getUint32(at + field, true);
    if (short !== ELSEWHERE || long64 + 8 > extra.to) return short;
    long64 += 8;
    return long(view, long64 - 8);
  });
}

/** Where the 64-bit values of an entry begin among its extra fields; their end where there are none. */
function findExtra(view: DataView, { from, to }: { readonly from: number; readonly to: number }): number {
  for (let at = from; at + 4 <= to; at += 4 + view.getUint16(at + 2, true))
    if (view.getUint16(at, true) === 1) return at + 4;
  return to;
}

/** Packed bytes that are inflated at once: they give 4 MB at the most. */
const PACKED_BYTES = 4096;

function inflateRange(
  file: ZipFile,
  { name, start, packedSize }: ZipEntry & { readonly start: number },
  from: number,
  into: Uint8Array,
): void {
  const end = from + into.length;
  let done = 0;
  const inflate = new Inflate((chunk) => {
    const part = chunk.subarray(Math.max(0, from - done), Math.max(0, end - done));
    if (part.length > 0) into.set(part, Math.max(0, done - from));
    done += chunk.length;
  });
  const packed = new Uint8Array(PACKED_BYTES);
  try {
    for (let at = 0; at < packedSize && done < end; at += PACKED_BYTES) {
      const piece = packed.subarray(0, Math.min(PACKED_BYTES, packedSize - at));
      bytesOf(file.fd, file.path)(start + at, piece);
      inflate.push(piece.slice(), at + piece.length >= packedSize);
    }
  } catch (error) {
    if (error instanceof KitError) throw error;
    throw damaged(file, `"${shorten(name)}" cannot be inflated (${(error as Error).message})`);
  }
  if (done < end) throw damaged(file, `"${shorten(name)}" is shorter than its directory says`);
}
