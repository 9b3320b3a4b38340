import { isUtf8 } from "node:buffer";
import iconv from "iconv-lite";
import { KitError, shown } from "../../error.ts";

const NEWLINE = 10;

/** What a file's first bytes say of it where it is no text. */
const SIGNATURES: readonly (readonly [hex: string, what: string])[] = [
  ["504b0304", "a zip archive or a spreadsheet"],
  ["1f8b", "packed by gzip, though its name does not end in .gz"],
  ["50415231", "Parquet, though its name does not end in .parquet"],
  ["fffe0000", "text in UTF-32"],
];

const MARKS: Readonly<Record<string, string>> = { fffe: "utf-16le", feff: "utf-16be" };

/**
 * The text of a file's bytes without its byte-order mark: UTF-16 where the mark says so, else UTF-8, else the encoding that is named.
 * Throws a KitError with the line and the encoding that it looks like where these do not fit, so that no letter is lost.
 */
export function decodeText(bytes: Buffer, file: string, encoding?: string): string {
  const start = bytes.subarray(0, 4).toString("hex");
  const [, what] = SIGNATURES.find(([hex]) => start.startsWith(hex)) ?? [];
  if (what !== undefined) throw new KitError(`${file} is not text but ${what}; give a text file, or rename it.`);
  const marked = MARKS[start.slice(0, 4)];
  if (marked !== undefined) return decoded(bytes, file, marked);
  const nul = bytes.indexOf(0);
  if (nul < 0 && isUtf8(bytes)) return new TextDecoder().decode(bytes);
  if (encoding !== undefined) return decoded(bytes, file, encoding);
  throw nul < 0 ? notUtf8(bytes, file) : withNul(bytes, nul, file);
}

/** The lines of a text, whichever of CR, LF and CRLF ends each. */
export function linesOf(text: string): string[] {
  return text.split(/\r\n|\n|\r/);
}

function decoded(bytes: Buffer, file: string, encoding: string): string {
  if (!iconv.encodingExists(encoding))
    throw new KitError(
      `${file} was to be read in the encoding ${shown(encoding)}, which the kit does not know: name one such as windows-1252, windows-1251, shift_jis or gb18030.`,
    );
  const text = iconv.decode(bytes, encoding);
  const wrong = text.search(/[\0\uFFFD\p{Cs}]/u);
  if (wrong < 0) return text;
  const line = linesOf(text.slice(0, wrong)).length;
  throw new KitError(`${file} line ${line} is not text in ${encoding}: name another encoding, or save it as UTF-8.`);
}

/** A NUL byte in every other place is how UTF-16 has English letters. */
function withNul(bytes: Buffer, at: number, file: string): KitError {
  const near = bytes.subarray(Math.max(0, at - 200) & ~1, at + 200);
  const [even, odd] = [0, 1].map(
    (place) => near.filter((byte, i) => byte === 0 && i % 2 === place).length / near.length,
  );
  const name = odd! > 0.1 && even === 0 ? "utf-16le" : even! > 0.1 && odd === 0 ? "utf-16be" : undefined;
  if (name === undefined)
    return new KitError(`${file} line ${lineAt(bytes, at)} holds a NUL byte, which no text has; give a text file.`);
  return new KitError(
    `${file} is not UTF-8 and looks like ${name} without a byte-order mark: save it as UTF-8, or give encoding "${name}".`,
  );
}

function notUtf8(bytes: Buffer, file: string): KitError {
  const start = badLineStart(bytes);
  const hint = looksWestern(bytes)
    ? 'looks like windows-1252 (Latin-1): save it as UTF-8, or give encoding "windows-1252"'
    : 'is in another encoding: save it as UTF-8, or give its name, such as encoding "shift_jis", "gb18030" or "windows-1251"';
  return new KitError(`${file} line ${lineAt(bytes, start)} is not UTF-8; the file ${hint}.`);
}

/** Where the first line begins that is not UTF-8. */
function badLineStart(bytes: Buffer): number {
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(NEWLINE, start);
    if (end < 0 || !isUtf8(bytes.subarray(start, end))) return start;
    start = end + 1;
  }
}

/** Whether bytes over 127 stand alone among ASCII, as the accents of Western Europe do; letters of other scripts come in rows. */
function looksWestern(bytes: Buffer): boolean {
  let [high, alone] = [0, 0];
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i]! < 128) continue;
    high++;
    if (!(bytes[i - 1]! > 127 || bytes[i + 1]! > 127)) alone++;
  }
  return alone > 0.7 * high;
}

function lineAt(bytes: Buffer, at: number): number {
  let line = 1;
  for (let i = bytes.indexOf(NEWLINE); i >= 0 && i < at; i = bytes.indexOf(NEWLINE, i + 1)) line++;
  return line;
}
