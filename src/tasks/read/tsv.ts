import { CsvError } from "csv-parse/sync";
import { KitError, shortened } from "../../error.ts";
import { recordsOf } from "./csv.ts";
import type { ParsedRow, Quoting } from "./rows.ts";
import { LAST_COLUMN, namedRows, type TableRecord } from "./table.ts";
import { linesOf } from "./text.ts";

/**
 * The rows of a TSV text, named as `namedRows` does. In GLUE's files a double quote is an ordinary character, in those of pandas and of
 * spreadsheets it is not: without `quoting`, that is told by the whole file. Throws where it cannot be told, and names the option.
 */
export function parseTsv(text: string, file: string, quoting?: Quoting): ParsedRow[] {
  const plain = plainRecords(text);
  const isPlain = !text.includes('"') || plain[0]?.values.at(-1) === LAST_COLUMN;
  if (quoting === "none" || (isPlain && quoting === undefined)) return namedRows(plain, file);
  return namedRows(quoting === undefined ? told(text, plain, file) : quotedRecords(text, file), file);
}

function plainRecords(text: string): TableRecord[] {
  return linesOf(text).flatMap((line, index) =>
    line.trim() === "" ? [] : [{ values: line.split("\t"), place: `line ${index + 1}` }],
  );
}

function quotedRecords(text: string, file: string): TableRecord[] {
  try {
    return recordsOf(text, "\t", "double");
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new KitError(
      `${file} line ${error.lines}: the quotes do not fit (${shortened(error.message)}); correct the row, or give quoting "none" where quotes are part of the text.`,
    );
  }
}

/**
 * The records as the file's quotes say. It is a quoted one where they all fit and there is a sign that text alone does not have: quotes
 * doubled within quotes, a header in quotes, or rows as long as the header only when tabs and line breaks within quotes are text.
 */
function told(text: string, plain: readonly TableRecord[], file: string): readonly TableRecord[] {
  const quoted = ifFitting(text);
  const sign = plain.some(({ values }) => values.some(isDoubled)) || plain[0]!.values.every(isWrapped);
  if (!quoted && !sign) return plain;
  // Where quotes go over tabs or lines, one at the start of a field and one at the end of a later one may have met by chance.
  if (quoted && (spans(quoted) ? isEven(quoted) && !isEven(plain) : sign)) return quoted;
  if (quoted && spans(quoted) && isEven(plain) && !sign) return plain;
  throw untold(plain, file);
}

function ifFitting(text: string): TableRecord[] | undefined {
  try {
    return recordsOf(text, "\t", "double");
  } catch (error) {
    if (error instanceof CsvError) return undefined;
    throw error;
  }
}

const isWrapped = (value: string): boolean => value.length > 1 && value.startsWith('"') && value.endsWith('"');

/** Whether a field is in quotes and has others in it, all of them doubled. */
function isDoubled(value: string): boolean {
  const inner = isWrapped(value) ? value.slice(1, -1) : "";
  return inner.includes('""') && !inner.replaceAll('""', "").includes('"');
}

const isEven = (records: readonly TableRecord[]): boolean =>
  records.every(({ values }) => values.length === records[0]!.values.length);

const spans = (records: readonly TableRecord[]): boolean =>
  records.some(({ values }) => values.some((value) => /[\t\n\r]/.test(value)));

function untold(plain: readonly TableRecord[], file: string): KitError {
  const { values, place } = plain.find((record) => record.values.some((value) => value.startsWith('"')))!;
  const field = values.find((value) => value.startsWith('"'));
  return new KitError(
    `${file} ${place}: the file does not tell whether the quotes of ${shortened(field!)} are part of the text or stand around it; say so by quoting "none" or quoting "double".`,
  );
}
