import { display } from "./display.ts";
import { type Cell, cellOf, columnsOf, type Frame, isMissing, type Row } from "./frame.ts";

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
  const columns = isRows(table) ? columnsOf(table) : table.columns;
  const rows = isRows(table)
    ? table.map((row) => columns.map((name) => cellOf(row, name)))
    : (table.values as Cell[][]);
  const cells = rows.map((row) => row.map((cell) => textOf(cell, digits)));
  const toTheRight = columns.map((_, j) => cells.every((row) => /^([-+−]?\d|–$)/.test(row[j]!)));
  display({
    "text/html": asHtml(columns, cells, toTheRight, caption),
    "text/plain": asText(columns, cells, toTheRight, caption),
  });
}

function textOf(cell: Cell, digits: number): string {
  if (isMissing(cell) || cell === "") return "–";
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

/** Columns of a text are no wider: one long cell leaves the rest of its row behind, and not all others too. */
const WIDEST = 200;

function asText(columns: string[], rows: string[][], toTheRight: boolean[], caption?: string): string {
  const widths = columns.map((name, j) =>
    Math.min(
      WIDEST,
      rows.reduce((most, row) => Math.max(most, row[j]!.length), name.length),
    ),
  );
  const line = (texts: string[]): string =>
    texts
      .map((text, j) => (toTheRight[j] ? text.padStart(widths[j]!) : text.padEnd(widths[j]!)))
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [line(columns), rule, ...rows.map(line), ...(caption === undefined ? [] : [caption])].join("\n");
}
