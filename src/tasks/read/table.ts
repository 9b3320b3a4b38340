import { KitError, listed, shown } from "../../error.ts";
import type { ParsedRow } from "./rows.ts";

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
