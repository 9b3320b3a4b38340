import Grid from "cli-table3";

/** A column: its heading and the side that its cells stand on. */
export interface Column {
  readonly name: string;
  readonly align: "left" | "right";
  /** Characters of a cell's line, beyond which its words are wrapped; as wide as its cells need where it is absent. */
  readonly width?: number;
}

/** A table of any kind: each row has a cell a column; the caption is lines of text below it. */
export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  readonly caption?: readonly string[];
}

/** Columns of these names, the first aligned left and all others right. */
export function numberColumns(names: readonly string[]): Column[] {
  return names.map((name, i) => ({ name, align: i === 0 ? "left" : "right" }));
}

/** The table in boxes for the terminal; `isCompact` leaves out the lines between its rows. */
export function toTerminal({ columns, rows, caption = [] }: Table, isCompact = false): string {
  const grid = new Grid({
    head: columns.map(({ name }) => name),
    colAligns: columns.map(({ align }) => align),
    colWidths: columns.map(({ width }) => (width === undefined ? null : width + 2 * PADDING)),
    wordWrap: true,
    style: { head: [], border: [], compact: isCompact },
  });
  grid.push(...rows.map((row) => [...row]));
  return [grid.toString(), ...caption].join("\n");
}

/** Blanks on each side of a cell in its box. */
const PADDING = 1;

/** The table in Markdown, its caption as a paragraph. */
export function toMarkdown({ columns, rows, caption = [] }: Table): string {
  const rule = columns.map(({ align }) => (align === "left" ? "---" : "---:"));
  const lines = [columns.map(({ name }) => name), rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  return [...lines, ...(caption.length > 0 ? ["", caption.join(" ")] : [])].join("\n");
}

/** The table in HTML. */
export function toHtml({ columns, rows, caption = [] }: Table): string {
  const line = (tag: string, cells: readonly string[]): string =>
    `<tr>${cells.map((cell, j) => `<${tag} style="text-align:${columns[j]!.align}">${escapeHtml(cell)}</${tag}>`).join("")}</tr>`;
  const title = caption.length > 0 ? `<caption>${escapeHtml(caption.join(" "))}</caption>` : "";
  const names = columns.map(({ name }) => name);
  return `<table>${title}<thead>${line("th", names)}</thead><tbody>${rows.map((row) => line("td", row)).join("")}</tbody></table>`;
}

/** The text as it stands in a page or an attribute of one. */
export const escapeHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** No column of a text is padded to more: one long cell moves the rest of its row, and not all others too. */
const WIDEST = 200;

/** The table in plain text, columns two blanks apart; headings are left out where none has a name. */
export function toText({ columns, rows, caption = [] }: Table): string {
  const widths = columns.map(({ name, width }, j) => width ?? Math.min(WIDEST, longestCell(name, rows, j)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, j) => (columns[j]!.align === "right" ? cell.padStart(widths[j]!) : cell.padEnd(widths[j]!)))
      .join("  ")
      .trimEnd();
  const names = columns.map(({ name }) => name);
  const head = names.some((name) => name !== "") ? [line(names), line(widths.map((width) => "-".repeat(width)))] : [];
  return [...head, ...rows.flatMap((row) => wrapCells(columns, row).map(line)), ...caption].join("\n");
}

function longestCell(name: string, rows: Table["rows"], column: number): number {
  return rows.reduce((most, row) => Math.max(most, row[column]!.length), name.length);
}

/** A row as lines of cells, in columns with a width wrapped between words. */
function wrapCells(columns: readonly Column[], row: readonly string[]): string[][] {
  const wrapped = row.map((cell, j) => wrapWords(cell, columns[j]!.width ?? Number.POSITIVE_INFINITY));
  const height = Math.max(...wrapped.map((lines) => lines.length));
  return Array.from({ length: height }, (_, i) => wrapped.map((lines) => lines[i] ?? ""));
}

function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** A share of 1 as percent with one decimal: "91.4". */
export function percent(share: number): string {
  return (100 * share).toFixed(1);
}

/** Bytes as MiB. */
export function mebibytes(bytes: number): number {
  return bytes / MEBIBYTE;
}

const MEBIBYTE = 2 ** 20;

/** A number without decimals, thousands apart: "1,000". */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** A number in at most two digits, small ones as powers of ten: "0.0012", "43", "1e-4". */
export function short(value: number): string {
  return exact(Number(value.toPrecision(2)));
}

/** A number with all its digits, small ones as powers of ten. */
export function exact(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : String(value);
}
