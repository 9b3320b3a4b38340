import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { KitError } from "../error.ts";
import { parseCsv } from "./csv.ts";
import { sha256 } from "./hash.ts";
import { parseJson, parseJsonLines } from "./json.ts";
import type { LocatedRow, ParsedRow, Rows } from "./rows.ts";
import { parseTsv } from "./tsv.ts";

const PARSERS: Readonly<Record<string, (text: string, file: string) => ParsedRow[]>> = {
  ".tsv": parseTsv,
  ".csv": parseCsv,
  ".jsonl": parseJsonLines,
  ".json": parseJson,
};

/** Extensions of the files that `readRows` understands. */
export const extensions: readonly string[] = Object.keys(PARSERS);

/** Reads the rows of a TSV, CSV, JSON Lines or JSON file, told apart by its extension; throws one sentence with file and line. */
export function readRows(file: string): Rows {
  const extension = extname(file).toLowerCase();
  const parse = PARSERS[extension];
  if (!parse) {
    const found = extension === "" ? "no extension" : `the extension ${extension}`;
    throw new KitError(`Cannot tell how to read ${file}: it has ${found}; give ${extensions.join(", ")}.`);
  }
  const bytes = readBytes(file);
  const rows = parse(bytes.toString("utf8").replace(/^\uFEFF/, ""), file).map(locate(file));
  if (rows.length === 0)
    throw new KitError(`${file} is empty: it has no rows of data; give a file with labelled rows.`);
  return { name: file, sha256: sha256(bytes), rows };
}

function locate(file: string): (row: ParsedRow) => LocatedRow {
  return ({ fields, place }) => ({ where: `${file} ${place}`, fields });
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new KitError(`Cannot read the data file ${file} (${(error as NodeJS.ErrnoException).code}); check its path.`);
  }
}
