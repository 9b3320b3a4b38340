import { readFileSync, statSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { KitError } from "../../error.ts";

/** The most that a file may hold, unpacked: Node's strings end at 512 MiB. */
export const MOST_BYTES: number = 500 * 2 ** 20;

/** The most rows: a row takes some hundred bytes beside its text, and Node's memory may end at 2 GB. */
export const MOST_ROWS = 2_000_000;

/** The bytes of a file as it lies there, and unpacked where its name ends in .gz. Throws a KitError for a file that is too large before it is read. */
export function readBytes(file: string): { readonly packed: Buffer; readonly bytes: Buffer } {
  const packed = wholeFile(file);
  return { packed, bytes: /\.gz$/i.test(file) ? unzipped(packed, file) : packed };
}

/** The error for a file that is too large to be read at once. */
export function tooLarge(file: string, held: string): KitError {
  return new KitError(
    `${file} holds ${held}, and at most ${MOST_BYTES / 2 ** 20} MiB and ${MOST_ROWS} rows are read at once: give a part of it, such as its first million rows.`,
  );
}

/** Throws a KitError where a text has more lines than rows are read at once, before anything is made of them. */
export function checkLines(bytes: Buffer, file: string): void {
  let lines = 0;
  for (const end of ["\n", "\r"]) {
    for (let at = bytes.indexOf(end); at >= 0; at = bytes.indexOf(end, at + 1)) lines++;
    if (lines > MOST_ROWS) throw tooLarge(file, `${lines} lines`);
    if (lines > 0) return;
  }
}

function wholeFile(file: string): Buffer {
  const cannot = (why: string): KitError => new KitError(`Cannot read the data file ${file} (${why}); check its path.`);
  try {
    const found = statSync(file);
    if (!found.isFile()) throw cannot("it is no regular file");
    if (found.size > MOST_BYTES) throw tooLarge(file, `${Math.ceil(found.size / 2 ** 20)} MiB`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof KitError) throw error;
    throw cannot((error as NodeJS.ErrnoException).code ?? (error as Error).message);
  }
}

function unzipped(packed: Buffer, file: string): Buffer {
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
