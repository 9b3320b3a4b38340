import { extname } from "node:path";
import { KitError } from "../../error.ts";
import { checkLines, readBytes } from "./bytes.ts";
import { parseCsv } from "./csv.ts";
import { sha256 } from "./hash.ts";
import { parseJson, parseJsonLines } from "./json.ts";
import { parseLabelText } from "./labelText.ts";
import { parseParquet } from "./parquet.ts";
import type { Dialect, LocatedRow, ParsedRow, Quoting, Rows } from "./rows.ts";
import { decodeText } from "./text.ts";
import { parseTsv } from "./tsv.ts";

type ParseText = (text: string, file: string, quoting?: Quoting) => ParsedRow[];
type Parse = (bytes: Buffer, file: string) => ParsedRow[] | Promise<ParsedRow[]>;

const TEXTS: Readonly<Record<string, ParseText>> = {
  ".tsv": parseTsv,
  ".csv": parseCsv,
  ".jsonl": parseJsonLines,
  ".json": parseJson,
  ".txt": parseLabelText,
};

/** Endings of the original SST-5 and TREC files. */
const LABEL_TEXTS = [".train", ".dev", ".test", ".all", ".label"];

/** Extensions of the files that `readRows` understands. */
export const extensions: readonly string[] = [...Object.keys(TEXTS), ".parquet"];

/**
 * Reads the rows of a TSV, CSV, JSON Lines, JSON, `label text` or Parquet file, told apart by its extension, also under a further
 * .gz; throws one sentence with file and line.
 */
export async function readRows(file: string, dialect: Dialect = {}): Promise<Rows> {
  const parse = parserOf(file, dialect);
  const { packed, bytes } = readBytes(file);
  const rows = await parse(bytes, file);
  if (rows.length === 0)
    throw new KitError(`${file} is empty: it has no rows of data; give a file with labelled rows.`);
  return { name: file, sha256: sha256(packed), rows: rows.map(locate(file)) };
}

function parserOf(file: string, { encoding, quoting }: Dialect): Parse {
  const extension = extname(file.replace(/\.gz$/i, "")).toLowerCase();
  if (extension === ".parquet") return parseParquet;
  const parse = LABEL_TEXTS.includes(extension) ? parseLabelText : TEXTS[extension];
  if (parse)
    return (bytes) => {
      checkLines(bytes, file);
      return parse(decodeText(bytes, file, encoding), file, quoting);
    };
  const found = extension === "" ? "no extension" : `the extension ${extension}`;
  throw new KitError(`Cannot tell how to read ${file}: it has ${found}; give ${extensions.join(", ")}.`);
}

function locate(file: string): (row: ParsedRow) => LocatedRow {
  return ({ fields, place }) => ({ where: `${file} ${place}`, fields });
}
