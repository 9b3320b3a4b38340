import { createRequire } from "node:module";
import { display } from "./display.ts";

const require = createRequire(import.meta.url);

/** What a table's cell holds. */
export type Cell = string | number | boolean | null | undefined;

/** A danfojs DataFrame, of which this kit reads the columns' names and the values row by row. */
export interface Frame {
  readonly columns: string[];
  readonly values: unknown;
  /** Whatever else danfojs offers: describe, groupby, query, toCSV and so on. */
  // biome-ignore lint/suspicious/noExplicitAny: danfojs's own types take a cell's compiler three seconds.
  readonly [method: string]: any;
}

/** The rows as a danfojs DataFrame. */
export function frame(rows: readonly Readonly<Record<string, Cell>>[]): Frame {
  const { DataFrame } = quietly(() => require("danfojs-node") as { DataFrame: new (rows: unknown) => Frame });
  return new DataFrame(rows.map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, v ?? "–"]))));
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
export function show(table: Frame | readonly Readonly<Record<string, Cell>>[], options: ShowOptions = {}): void {
  const { digits = 1, caption } = options;
  const isRows = Array.isArray(table);
  const columns = isRows ? Object.keys((table as readonly object[])[0] ?? {}) : (table as Frame).columns;
  const rows = isRows
    ? (table as readonly Record<string, Cell>[]).map((row) => columns.map((name) => row[name]))
    : ((table as Frame).values as Cell[][]);
  const cells = rows.map((row) => row.map((cell) => textOf(cell, digits)));
  const toTheRight = columns.map((_, j) => cells.every((row) => /^([-+−]?\d[\d.,]*.*|–|)$/.test(row[j]!)));
  display({
    "text/html": asHtml(columns, cells, toTheRight, caption),
    "text/plain": asText(columns, cells, toTheRight, caption),
  });
}

function textOf(cell: Cell, digits: number): string {
  if (cell === null || cell === undefined || cell === "") return "–";
  if (typeof cell !== "number") return String(cell);
  return Number.isInteger(cell) ? cell.toLocaleString("en-US") : cell.toFixed(digits);
}

function asHtml(columns: string[], rows: string[][], toTheRight: boolean[], caption?: string): string {
  const cell = (tag: string, text: string, j: number): string =>
    `<${tag} style="text-align:${toTheRight[j] ? "right" : "left"}">${escaped(text)}</${tag}>`;
  const line = (tag: string, texts: string[]): string =>
    `<tr>${texts.map((text, j) => cell(tag, text, j)).join("")}</tr>`;
  const title = caption === undefined ? "" : `<caption>${escaped(caption)}</caption>`;
  return `<table>${title}<thead>${line("th", columns)}</thead><tbody>${rows.map((row) => line("td", row)).join("")}</tbody></table>`;
}

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

function asText(columns: string[], rows: string[][], toTheRight: boolean[], caption?: string): string {
  const widths = columns.map((name, j) => Math.max(name.length, ...rows.map((row) => row[j]!.length)));
  const line = (texts: string[]): string =>
    texts
      .map((text, j) => (toTheRight[j] ? text.padStart(widths[j]!) : text.padEnd(widths[j]!)))
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [line(columns), rule, ...rows.map(line), ...(caption === undefined ? [] : [caption])].join("\n");
}
