import { CsvError, type Info, parse } from "csv-parse/sync";
import { KitError, listNames, shorten, showValue } from "../../error.ts";
import { splitLines } from "./text.ts";

/** The named fields of a row, unchanged: strings from TSV and CSV, any JSON value from JSON Lines. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether double quotes enclose the fields of a TSV or CSV file, or are ordinary characters. */
export type Quoting = "double" | "none";

/** Properties of a text file that the file itself does not state. */
export interface Dialect {
  /** The encoding of files that are neither UTF-8 nor marked as UTF-16, such as "windows-1252". */
  readonly encoding?: string | undefined;
  readonly quoting?: Quoting | undefined;
}

/** The fields of a row and its place in the file: a line, or a position in a JSON list, both counted from 1. */
export interface ParsedRow {
  readonly fields: Fields;
  readonly place: string;
}

/** A row of data and where it came from (`train.tsv line 7`), for error sentences. */
export interface LocatedRow {
  readonly where: string;
  readonly fields: Fields;
}

/** Rows with the name of their source (a file's path as it was given) and the SHA-256 (hexadecimal) of the bytes read. */
export interface Rows {
  readonly name: string;
  readonly sha256: string;
  readonly rows: readonly LocatedRow[];
}

/** The values of a table's row, and its place in the file. */
export interface TableRecord {
  readonly values: readonly string[];
  readonly place: string;
}

/** The columns of a table without names: those of the authors' files of SST-5 and TREC. */
const UNNAMED = ["label", "text"] as const;

/** The last column of SNLI's and MNLI's files, some of whose rows have more or fewer annotators' labels before it than the header. */
export const LAST_COLUMN = "gold_label";

/**
 * Names the fields of a table by its first record. Where that holds positions (0, 1), as pandas writes them for columns without names, or
 * is a row itself (a whole number and one more field), the fields are `label` and `text`. Throws a KitError for a repeated name, and for a
 * row with more fields than names.
 */
export function nameRows(records: readonly TableRecord[], file: string): ParsedRow[] {
  const [first, ...rest] = records;
  if (!first) return [];
  const { values } = first;
  if (isRow(values)) return records.map((record) => makeRow(UNNAMED, record, file));
  const names = isCount(values, 0) && values.length === 2 ? UNNAMED : dropIndex(values);
  checkNames(names, file);
  return rest.map((record) => makeRow(names, record, file));
}

/** Whether the first record is a row, a label and a text, instead of a header: so in the authors' files. */
function isRow(values: readonly string[]): boolean {
  return values.length === 2 && /^\s*\d+\s*$/.test(values[0]!) && !isCount(values, 0);
}

function isCount(values: readonly string[], start: number): boolean {
  return values.length > 1 && values.every((value, i) => value.trim() === String(start + i));
}

/** The names, where two unnamed columns after pandas' index, itself named "" or "Unnamed: 0", become `label` and `text`. */
function dropIndex(values: readonly string[]): readonly string[] {
  const [index = "", ...names] = values;
  const isIndex = index === "" || index === "Unnamed: 0";
  return isIndex && names.length === 2 && isCount(names, 0) ? [index, ...UNNAMED] : values;
}

function checkNames(names: readonly string[], file: string): void {
  const twice = names.find((name, i) => name !== "" && names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new KitError(`${file} line 1: the column ${showValue(twice)} is there twice; rename or remove one.`);
}

function makeRow(names: readonly string[], { values, place }: TableRecord, file: string): ParsedRow {
  if (names.at(-1) === LAST_COLUMN) return { fields: nameLastAsLabel(names, values), place };
  if (values.length <= names.length)
    return { fields: Object.fromEntries(values.map((value, i) => [names[i]!, value])), place };
  throw new KitError(
    `${file} ${place}: ${values.length} fields under a header of ${names.length} (${listNames(names.map(showValue), 8)}); remove the extra ones, or quote the text.`,
  );
}

function nameLastAsLabel(names: readonly string[], values: readonly string[]): Record<string, string> {
  const named = names.slice(0, Math.min(names.length, values.length) - 1).map((name, i) => [name, values[i]!]);
  return Object.fromEntries([...named, [LAST_COLUMN, values.at(-1)!]]);
}

/**
 * The rows of a CSV text, named by `nameRows`; a row's place is its last line. Double quotes follow RFC 4180, or are ordinary characters
 * where quoting is "none".
 */
export function parseCsv(text: string, file: string, quoting: Quoting = "double"): ParsedRow[] {
  try {
    return nameRows(parseRecords(text, ",", quoting), file);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new KitError(
      `${file} line ${error.lines}: this is not valid CSV (${shorten(error.message)}); correct the row, or give quoting "none" where quotes are part of the text.`,
    );
  }
}

/** The records of a text without blank lines. Throws a CsvError where quotes are unbalanced. */
export function parseRecords(text: string, delimiter: string, quoting: Quoting): TableRecord[] {
  const ends = text.includes("\r") ? ["\r\n", "\n", "\r"] : "\n";
  const found = parse(text, {
    ...{ delimiter, record_delimiter: ends, quote: quoting === "double" ? '"' : null },
    ...{ info: true, relax_column_count: true, skip_empty_lines: true },
  }) as unknown as { record: string[]; info: Info }[];
  const lines = text.includes("\r") ? findLastLines(text, found) : found.map(({ info }) => info.lines);
  return found.map(({ record }, i) => ({ values: record, place: `line ${lines[i]}` }));
}

/** The line on which each record ends; the parser itself counts a CRLF in a quoted field as two. */
function findLastLines(text: string, found: readonly { readonly info: Info }[]): number[] {
  const bytes = Buffer.from(text);
  let [from, ends] = [0, 0];
  return found.map(({ info }) => {
    const passed = splitLines(bytes.toString("utf8", from, info.bytes));
    from = info.bytes;
    ends += passed.length - 1;
    return passed.at(-1) === "" ? ends : ends + 1;
  });
}

/**
 * The rows of a TSV text, named by `nameRows`. In GLUE's files a double quote is an ordinary character, in files of pandas and
 * spreadsheets it encloses fields: without `quoting`, that is detected from the whole file. Throws a KitError, which names the option,
 * where it is ambiguous.
 */
export function parseTsv(text: string, file: string, quoting?: Quoting): ParsedRow[] {
  const plain = plainRecords(text);
  const isPlain = !text.includes('"') || plain[0]?.values.at(-1) === LAST_COLUMN;
  if (quoting === "none" || (isPlain && quoting === undefined)) return nameRows(plain, file);
  return nameRows(quoting === undefined ? decideQuoting(text, plain, file) : quotedRecords(text, file), file);
}

function plainRecords(text: string): TableRecord[] {
  return splitLines(text).flatMap((line, index) =>
    line.trim() === "" ? [] : [{ values: line.split("\t"), place: `line ${index + 1}` }],
  );
}

function quotedRecords(text: string, file: string): TableRecord[] {
  try {
    return parseRecords(text, "\t", "double");
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new KitError(
      `${file} line ${error.lines}: the quotes are unbalanced (${shorten(error.message)}); correct the row, or give quoting "none" where quotes are part of the text.`,
    );
  }
}

/**
 * Detects whether the file is quoted: where all quotes are balanced and there is a sign that plain text does not have. Signs are doubled
 * quotes within quotes, a header in quotes, and rows that are as long as the header only if quoted tabs and line breaks are text.
 */
function decideQuoting(text: string, plain: readonly TableRecord[], file: string): readonly TableRecord[] {
  const quoted = tryQuoted(text);
  const sign = plain.some(({ values }) => values.some(isDoubled)) || plain[0]!.values.every(isWrapped);
  if (!quoted && !sign) return plain;
  // Quotes that span tabs or lines may be a chance pair: one at the start of a field, one at the end of a later field.
  if (quoted && (spanLines(quoted) ? isEven(quoted) && !isEven(plain) : sign)) return quoted;
  if (quoted && spanLines(quoted) && isEven(plain) && !sign) return plain;
  throw ambiguousQuotes(plain, file);
}

function tryQuoted(text: string): TableRecord[] | undefined {
  try {
    return parseRecords(text, "\t", "double");
  } catch (error) {
    if (error instanceof CsvError) return undefined;
    throw error;
  }
}

const isWrapped = (value: string): boolean => value.length > 1 && value.startsWith('"') && value.endsWith('"');

/** Whether a field is in quotes and all quotes within it are doubled. */
function isDoubled(value: string): boolean {
  const inner = isWrapped(value) ? value.slice(1, -1) : "";
  return inner.includes('""') && !inner.replaceAll('""', "").includes('"');
}

const isEven = (records: readonly TableRecord[]): boolean =>
  records.every(({ values }) => values.length === records[0]!.values.length);

const spanLines = (records: readonly TableRecord[]): boolean =>
  records.some(({ values }) => values.some((value) => /[\t\n\r]/.test(value)));

function ambiguousQuotes(plain: readonly TableRecord[], file: string): KitError {
  const { values, place } = plain.find((record) => record.values.some((value) => value.startsWith('"')))!;
  const field = values.find((value) => value.startsWith('"'));
  return new KitError(
    `${file} ${place}: it is unclear whether the quotes of ${shorten(field!)} are part of the text or enclose it; give quoting "none" or quoting "double".`,
  );
}

/** The rows {label, text} of a text with a label, a space and a sentence per line (the original SST-5 and TREC files). */
export function parseLabelText(text: string, file: string): ParsedRow[] {
  return splitLines(text).flatMap((line, index) => {
    if (line.trim() === "") return [];
    const place = `line ${index + 1}`;
    const [, label, sentence] = /^(\S+)[ \t](.*)$/s.exec(line) ?? [];
    if (label === undefined || sentence === undefined)
      throw new KitError(`${file} ${place}: the line is not a label, a space and a text; correct it.`);
    return [{ fields: { label, text: sentence }, place }];
  });
}
