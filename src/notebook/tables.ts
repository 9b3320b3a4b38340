import { createRequire } from "node:module";
import { explainLoading, KitError } from "../error.ts";
import { type Table, toHtml, toText } from "../report/table.ts";
import { display } from "./display.ts";

const require = createRequire(import.meta.url);

/** What a table's cell holds. */
export type Cell = string | number | boolean | null | undefined;

/** A row of a table: cells by the names of their columns. What a row lacks is missing. */
export type Row = Readonly<Record<string, Cell>>;

/** A danfojs DataFrame, of which this kit reads the columns' names and the values row by row. */
export interface Frame {
  readonly columns: string[];
  readonly values: unknown;
  /** Whatever else danfojs offers: describe, groupby, query, toCSV and so on. */
  // biome-ignore lint/suspicious/noExplicitAny: danfojs's own types take a cell's compiler three seconds.
  readonly [method: string]: any;
}

/** danfojs reads a DataFrame by these properties, which a column of the same name would hide. */
const TAKEN = ["columns", "values", "index", "shape", "dtypes"];

/** The names of all columns, in the order in which rows first have them. */
export const listColumns = (rows: readonly Row[]): string[] => [...new Set(rows.flatMap((row) => Object.keys(row)))];

/** A row's cell; undefined where the row has none of its own, whatever objects inherit. */
export const readCell = (row: Row, column: string): Cell => (Object.hasOwn(row, column) ? row[column] : undefined);

/** Whether a cell holds nothing: null, undefined or NaN. */
export const isMissing = (cell: Cell): cell is null | undefined =>
  cell === null || cell === undefined || Number.isNaN(cell);

/**
 * The rows as a danfojs DataFrame, each value in the column of its key. What is missing becomes NaN, which danfojs's mean, sum and count
 * leave out. A column of numbers is int32 or, where some are missing or not whole, float32; one of booleans is boolean; all others are
 * string, their values as they were given. Throws a KitError for a value that is none of these, such as a list or a Date, and
 * where the package danfojs-node is not installed.
 */
export function frame(rows: readonly Row[]): Frame {
  const { DataFrame } = quietly(loadDanfo);
  const columns = listColumns(rows);
  const taken = columns.find((name) => TAKEN.includes(name));
  if (taken !== undefined)
    throw new KitError(`A DataFrame was to have a column ${taken}, but danfojs calls a part of its own so: rename it.`);
  const values = rows.map((row, i) => columns.map((name) => checkCell(readCell(row, name), name, i)));
  return new DataFrame(values, { columns, dtypes: columns.map((_, j) => chooseDtype(values.map((row) => row[j]!))) });
}

function loadDanfo(): { DataFrame: new (rows: unknown, how: object) => Frame } {
  try {
    return require("danfojs-node");
  } catch (error) {
    throw explainLoading(error, "A DataFrame was to be made", ["danfojs-node"]);
  }
}

/** A value as danfojs takes it. */
function checkCell(cell: Cell, column: string, row: number): string | number | boolean {
  if (isMissing(cell)) return Number.NaN;
  if (["string", "number", "boolean"].includes(typeof cell)) return cell;
  const found = Object(cell).constructor?.name ?? typeof cell;
  throw new KitError(
    `The column ${column} was to hold texts, numbers or booleans, but its row ${row + 1} has a value of type ${found}: turn it into one of these, such as by String().`,
  );
}

/** danfojs guesses types from the first 20 rows, and takes texts such as "1.5" for numbers, which it then adds up as texts. */
function chooseDtype(values: readonly (string | number | boolean)[]): string {
  const present = values.filter((value) => !isMissing(value));
  const all = (type: string): boolean => present.every((value) => typeof value === type);
  if (all("number"))
    return values.every((value) => (value as number) === ((value as number) | 0)) ? "int32" : "float32";
  return all("boolean") ? "boolean" : "string";
}

/** danfojs brings a TensorFlow.js of its own, which says at length that its parts are there already. */
function quietly<T>(work: () => T): T {
  const { warn } = console;
  console.warn = () => {};
  try {
    return work();
  } finally {
    console.warn = warn;
  }
}

/** How a table is shown. */
export interface ShowOptions {
  /** Digits after the point of numbers that are not whole. */
  readonly digits?: number;
  readonly caption?: string;
}

/** Shows rows or a DataFrame as a table: HTML, with text for viewers without it. */
export function show(table: Frame | readonly Row[], options: ShowOptions = {}): void {
  const { digits = 1, caption } = options;
  const isRows = (given: typeof table): given is readonly Row[] => Array.isArray(given);
  const columns = isRows(table) ? listColumns(table) : table.columns;
  const rows = isRows(table)
    ? table.map((row) => columns.map((name) => readCell(row, name)))
    : (table.values as Cell[][]);
  const cells = rows.map((row) => row.map((cell) => formatCell(cell, digits)));
  const isNumeric = (j: number): boolean => cells.every((row) => /^([-+−]?\d|–$)/.test(row[j]!));
  const written: Table = {
    columns: columns.map((name, j) => ({ name, align: isNumeric(j) ? "right" : "left" })),
    rows: cells,
    ...(caption !== undefined && { caption: [caption] }),
  };
  display({ "text/html": toHtml(written), "text/plain": toText(written) });
}

function formatCell(cell: Cell, digits: number): string {
  if (isMissing(cell) || cell === "") return "–";
  if (typeof cell !== "number") return String(cell);
  return Number.isInteger(cell) ? cell.toLocaleString("en-US") : cell.toFixed(digits);
}
