import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import iconv from "iconv-lite";
import { KitError, showValue } from "../../error.ts";

/** The SHA-256 of bytes or text, in hexadecimal digits. */
export function sha256(content: Buffer | string): string {
  return createHash("sha256").update(content).digest("hex");
}

/** One hash for several pieces of data in order, computed from their hashes. */
export function jointSha256(parts: readonly { readonly sha256: string }[]): string {
  return sha256(parts.map((part) => part.sha256).join());
}

/** The largest file, unpacked: Node's strings end at 512 MiB. */
export const MOST_BYTES: number = 500 * 2 ** 20;

/** The most rows: a row takes some hundred bytes beside its text, and Node's heap may end at 2 GB. */
export const MOST_ROWS = 2_000_000;

/** The bytes of a file, and unpacked where its name ends in .gz. Throws a KitError for a file that is too large, before reading it. */
export function readBytes(file: string): { readonly packed: Buffer; readonly bytes: Buffer } {
  const packed = readWhole(file);
  return { packed, bytes: /\.gz$/i.test(file) ? unzip(packed, file) : packed };
}

/** The error for a file that is too large. */
export function tooLarge(file: string, held: string): KitError {
  return new KitError(
    `${file} holds ${held}, and at most ${MOST_BYTES / 2 ** 20} MiB and ${MOST_ROWS} rows are read at once: give a part of it, such as its first million rows.`,
  );
}

/** Throws a KitError where a text has more lines than the most rows. */
export function checkLines(bytes: Buffer, file: string): void {
  let lines = 0;
  for (const end of ["\n", "\r"]) {
    for (let at = bytes.indexOf(end); at >= 0; at = bytes.indexOf(end, at + 1)) lines++;
    if (lines > MOST_ROWS) throw tooLarge(file, `${lines} lines`);
    if (lines > 0) return;
  }
}

function readWhole(file: string): Buffer {
  const cannot = (why: string): KitError => new KitError(`Cannot read the data file ${file} (${why}); check its path.`);
  try {
    const found = statSync(file);
    if (!found.isFile()) throw cannot("it is not a regular file");
    if (found.size > MOST_BYTES) throw tooLarge(file, `${Math.ceil(found.size / 2 ** 20)} MiB`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof KitError) throw error;
    throw cannot((error as NodeJS.ErrnoException).code ?? (error as Error).message);
  }
}

function unzip(packed: Buffer, file: string): Buffer {
  // A member's last four bytes are its length modulo 2^32.
  const length = packed.length >= 4 ? packed.readUInt32LE(packed.length - 4) : 0;
  if (length > MOST_BYTES) throw tooLarge(file, `${Math.ceil(length / 2 ** 20)} MiB unpacked`);
  try {
    return gunzipSync(packed, { maxOutputLength: MOST_BYTES });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(file, "more unpacked");
    throw new KitError(`Cannot unpack ${file} (${message}); download it again.`);
  }
}

const NEWLINE = 10;

/** The first bytes of files that are not text. */
const SIGNATURES: readonly (readonly [hex: string, what: string])[] = [
  ["504b0304", "a zip archive or a spreadsheet"],
  ["1f8b", "packed by gzip, though its name does not end in .gz"],
  ["50415231", "Parquet, though its name does not end in .parquet"],
  ["fffe0000", "text in UTF-32"],
];

const MARKS: Readonly<Record<string, string>> = { fffe: "utf-16le", feff: "utf-16be" };

/**
 * The text of a file's bytes without its byte-order mark: UTF-16 where the mark says so, else UTF-8, else the given encoding. Where none
 * of them fits, throws a KitError with the line and a guess of the encoding, so that no letter is lost.
 */
export function decodeText(bytes: Buffer, file: string, encoding?: string): string {
  const start = bytes.subarray(0, 4).toString("hex");
  const [, what] = SIGNATURES.find(([hex]) => start.startsWith(hex)) ?? [];
  if (what !== undefined) throw new KitError(`${file} is not text but ${what}; give a text file, or rename it.`);
  const marked = MARKS[start.slice(0, 4)];
  if (marked !== undefined) return decodeAs(bytes, file, marked);
  const nul = bytes.indexOf(0);
  if (nul < 0 && isUtf8(bytes)) return new TextDecoder().decode(bytes);
  if (encoding !== undefined) return decodeAs(bytes, file, encoding);
  throw nul < 0 ? notUtf8Error(bytes, file) : nulError(bytes, nul, file);
}

/** The lines of a text, each ended by CR, LF or CRLF. */
export function splitLines(text: string): string[] {
  return text.split(/\r\n|\n|\r/);
}

function decodeAs(bytes: Buffer, file: string, encoding: string): string {
  if (!iconv.encodingExists(encoding))
    throw new KitError(
      `${file} was to be read in the encoding ${showValue(encoding)}, which the kit does not know: name one such as windows-1252, windows-1251, shift_jis or gb18030.`,
    );
  const text = iconv.decode(bytes, encoding);
  const wrong = text.search(/[\0\uFFFD\p{Cs}]/u);
  if (wrong < 0) return text;
  const line = splitLines(text.slice(0, wrong)).length;
  throw new KitError(`${file} line ${line} is not text in ${encoding}: name another encoding, or save it as UTF-8.`);
}

/** UTF-16 stores English letters with a NUL byte in every other place. */
function nulError(bytes: Buffer, at: number, file: string): KitError {
  const near = bytes.subarray(Math.max(0, at - 200) & ~1, at + 200);
  const [even, odd] = [0, 1].map(
    (place) => near.filter((byte, i) => byte === 0 && i % 2 === place).length / near.length,
  );
  const name = odd! > 0.1 && even === 0 ? "utf-16le" : even! > 0.1 && odd === 0 ? "utf-16be" : undefined;
  if (name === undefined)
    return new KitError(`${file} line ${countLines(bytes, at)} holds a NUL byte, so it is not text; give a text file.`);
  return new KitError(
    `${file} is not UTF-8 and looks like ${name} without a byte-order mark: save it as UTF-8, or give encoding "${name}".`,
  );
}

function notUtf8Error(bytes: Buffer, file: string): KitError {
  const start = findBadLine(bytes);
  const hint = looksWestern(bytes)
    ? 'looks like windows-1252 (Latin-1): save it as UTF-8, or give encoding "windows-1252"'
    : 'is in another encoding: save it as UTF-8, or give its name, such as encoding "shift_jis", "gb18030" or "windows-1251"';
  return new KitError(`${file} line ${countLines(bytes, start)} is not UTF-8; the file ${hint}.`);
}

/** The start of the first line that is not UTF-8. */
function findBadLine(bytes: Buffer): number {
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(NEWLINE, start);
    if (end < 0 || !isUtf8(bytes.subarray(start, end))) return start;
    start = end + 1;
  }
}

/** Whether bytes over 127 are single among ASCII, as accented letters of Western Europe are; letters of other scripts come in runs. */
function looksWestern(bytes: Buffer): boolean {
  let [high, alone] = [0, 0];
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i]! < 128) continue;
    high++;
    if (!(bytes[i - 1]! > 127 || bytes[i + 1]! > 127)) alone++;
  }
  return alone > 0.7 * high;
}

function countLines(bytes: Buffer, at: number): number {
  let line = 1;
  for (let i = bytes.indexOf(NEWLINE); i >= 0 && i < at; i = bytes.indexOf(NEWLINE, i + 1)) line++;
  return line;
}
