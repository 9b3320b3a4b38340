import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { gunzipSync } from "node:zlib";
import { KitError } from "../../error.ts";
import { parseCsv } from "./csv.ts";
import { sha256 } from "./hash.ts";
import { parseJson, parseJsonLines } from "./json.ts";
import { parseLabelText } from "./labelText.ts";
import { parseParquet } from "./parquet.ts";
import type { LocatedRow, ParsedRow, Rows } from "./rows.ts";
import { parseTsv } from "./tsv.ts";

type Parse = (text: string, file: string) => ParsedRow[];

const TEXTS: Readonly<Record<string, Parse>> = {
  ".tsv": parseTsv,
  ".csv": parseCsv,
  ".jsonl": parseJsonLines,
  ".json": parseJson,
  ".txt": parseLabelText,
};

/** Endings of the original SST-5 and TREC files. */
const LABEL_TEXTS = [".train", ".dev", ".test", ".all"];

/** Extensions of the files that `readRows` understands. */
export const extensions: readonly string[] = [...Object.keys(TEXTS), ".parquet"];

/**
 * Reads the rows of a TSV, CSV, JSON Lines, JSON, `label text` or Parquet file, told apart by its extension, also under a further
 * .gz; throws one sentence with file and line.
 */
export async function readRows(file: string): Promise<Rows> {
  const parse = parserOf(file);
  const bytes = readBytes(file);
  const rows = await parse(/\.gz$/i.test(file) ? unzipped(bytes, file) : bytes, file);
  if (rows.length === 0)
    throw new KitError(`${file} is empty: it has no rows of data; give a file with labelled rows.`);
  return { name: file, sha256: sha256(bytes), rows: rows.map(locate(file)) };
}

function parserOf(file: string): (bytes: Buffer, file: string) => ParsedRow[] | Promise<ParsedRow[]> {
  const extension = extname(file.replace(/\.gz$/i, "")).toLowerCase();
  if (extension === ".parquet") return parseParquet;
  const parse = LABEL_TEXTS.includes(extension) ? parseLabelText : TEXTS[extension];
  if (parse) return (bytes) => parse(bytes.toString("utf8").replace(/^\uFEFF/, ""), file);
  const found = extension === "" ? "no extension" : `the extension ${extension}`;
  throw new KitError(`Cannot tell how to read ${file}: it has ${found}; give ${extensions.join(", ")}.`);
}

function locate(file: string): (row: ParsedRow) => LocatedRow {
  return ({ fields, place }) => ({ where: `${file} ${place}`, fields });
}

function unzipped(bytes: Buffer, file: string): Buffer {
  try {
    return gunzipSync(bytes);
  } catch (error) {
    throw new KitError(`Cannot unpack ${file} (${(error as Error).message}); download it again.`);
  }
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new KitError(`Cannot read the data file ${file} (${(error as NodeJS.ErrnoException).code}); check its path.`);
  }
}
