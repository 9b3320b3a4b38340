import { CsvError, type Info, parse } from "csv-parse/sync";
import { KitError, listed, shortened, shown } from "../../error.ts";
import { linesOf } from "./text.ts";

/** Named fields of one data row as they stand in its file: strings from TSV and CSV, any JSON value from JSON Lines. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether double quotes stand around the fields of a TSV or CSV file, or are characters like others. */
export type Quoting = "double" | "none";

/** What a file does not say of itself. */
export interface Dialect {
  /** Of files that are neither in UTF-8 nor marked as UTF-16, such as "windows-1252". */
  readonly encoding?: string | undefined;
  readonly quoting?: Quoting | undefined;
}

/** Fields of one row and its place in the file: a line, or a position in a JSON list, both counted from 1. */
export interface ParsedRow {
  readonly fields: Fields;
  readonly place: string;
}

/** A row of data and where it came from (`train.tsv line 7`), for error sentences. */
export interface LocatedRow {
  readonly where: string;
  readonly fields: Fields;
}

/** Rows read from one place: its name (a file's path as it was given) and the SHA-256 (hexadecimal) of the bytes read. */
export interface Rows {
  readonly name: string;
  readonly sha256: string;
  readonly rows: readonly LocatedRow[];
}

/** A row of a table as its file has it, and its place there. */
export interface TableRecord {
  readonly values: readonly string[];
  readonly place: string;
}

/** Columns of a table that names none: those of the authors' files of SST-5 and TREC. */
const UNNAMED = ["label", "text"] as const;

/** The last column of SNLI's and MNLI's files: some of their rows have more or fewer annotators' labels before it than the header names. */
export const LAST_COLUMN = "gold_label";

/**
 * The rows of a table under the names in its first record. Where that holds positions (0, 1), as pandas writes them for columns without
 * names, or is a row itself, a whole number and one more field, the fields are `label` and `text`. Throws for a name that stands
 * twice, and a row with more fields than names.
 */
export function namedRows(records: readonly TableRecord[], file: string): ParsedRow[] {
  const [first, ...rest] = records;
  if (!first) return [];
  const { values } = first;
  if (isRow(values)) return records.map((record) => row(UNNAMED, record, file));
  const names = countsFrom(values, 0) && values.length === 2 ? UNNAMED : withoutIndex(values);
  checkNames(names, file);
  return rest.map((record) => row(names, record, file));
}

/** Whether a first record is no header but a row, as in the authors' files: a label and a text. */
function isRow(values: readonly string[]): boolean {
  return values.length === 2 && /^\s*\d+\s*$/.test(values[0]!) && !countsFrom(values, 0);
}

function countsFrom(values: readonly string[], start: number): boolean {
  return values.length > 1 && values.every((value, i) => value.trim() === String(start + i));
}

/** The names with those of two columns without any behind pandas' index, whose own name is empty or "Unnamed: 0". */
function withoutIndex(values: readonly string[]): readonly string[] {
  const [index = "", ...names] = values;
  const isIndex = index === "" || index === "Unnamed: 0";
  return isIndex && names.length === 2 && countsFrom(names, 0) ? [index, ...UNNAMED] : values;
}

function checkNames(names: readonly string[], file: string): void {
  const twice = names.find((name, i) => name !== "" && names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new KitError(`${file} line 1: the column ${shown(twice)} stands there twice; rename or remove one.`);
}

function row(names: readonly string[], { values, place }: TableRecord, file: string): ParsedRow {
  if (names.at(-1) === LAST_COLUMN) return { fields: lastAsLabel(names, values), place };
  if (values.length <= names.length)
    return { fields: Object.fromEntries(values.map((value, i) => [names[i]!, value])), place };
  throw new KitError(
    `${file} ${place}: ${values.length} fields stand under a header of ${names.length} (${listed(names.map(shown), 8)}); remove the extra ones, or quote the text.`,
  );
}

function lastAsLabel(names: readonly string[], values: readonly string[]): Record<string, string> {
  const named = names.slice(0, Math.min(names.length, values.length) - 1).map((name, i) => [name, values[i]!]);
  return Object.fromEntries([...named, [LAST_COLUMN, values.at(-1)!]]);
}

/**
 * The rows of a CSV text, named as `namedRows` does; the place is a row's last line. Double quotes are RFC 4180's, or ordinary
 * characters where quoting is "none".
 */
export function parseCsv(text: string, file: string, quoting: Quoting = "double"): ParsedRow[] {
  try {
    return namedRows(recordsOf(text, ",", quoting), file);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new KitError(
      `${file} line ${error.lines}: this is not valid CSV (${shortened(error.message)}); correct the row, or give quoting "none" where quotes are part of the text.`,
    );
  }
}

/** The records of a text, blank lines left out. Throws a CsvError where the quotes do not fit. */
export function recordsOf(text: string, delimiter: string, quoting: Quoting): TableRecord[] {
  const ends = text.includes("\r") ? ["\r\n", "\n", "\r"] : "\n";
  const found = parse(text, {
    ...{ delimiter, record_delimiter: ends, quote: quoting === "double" ? '"' : null },
    ...{ info: true, relax_column_count: true, skip_empty_lines: true },
  }) as unknown as { record: string[]; info: Info }[];
  const lines = text.includes("\r") ? lastLines(text, found) : found.map(({ info }) => info.lines);
  return found.map(({ record }, i) => ({ values: record, place: `line ${lines[i]}` }));
}

/** The line on which each record ends; the parser's own count takes the CRLF in a quoted field for two line ends. */
function lastLines(text: string, found: readonly { readonly info: Info }[]): number[] {
  const bytes = Buffer.from(text);
  let [from, ends] = [0, 0];
  return found.map(({ info }) => {
    const passed = linesOf(bytes.toString("utf8", from, info.bytes));
    from = info.bytes;
    ends += passed.length - 1;
    return passed.at(-1) === "" ? ends : ends + 1;
  });
}

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

/** The rows {label, text} of a text whose lines are a label, a space and the sentence (the original SST-5 and TREC files). */
export function parseLabelText(text: string, file: string): ParsedRow[] {
  return linesOf(text).flatMap((line, index) => {
    if (line.trim() === "") return [];
    const place = `line ${index + 1}`;
    const [, label, sentence] = /^(\S+)[ \t](.*)$/s.exec(line) ?? [];
    if (label === undefined || sentence === undefined)
      throw new KitError(`${file} ${place}: the line is not a label, a space and a text; correct it.`);
    return [{ fields: { label, text: sentence }, place }];
  });
}
