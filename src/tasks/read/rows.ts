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
