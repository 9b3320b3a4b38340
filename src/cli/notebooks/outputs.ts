import type { Failure } from "./failure.ts";
import type { StreamName } from "./streams.ts";

/** What a cell shows, as Jupyter's files have it. */
export type Output =
  | { readonly output_type: "stream"; readonly name: StreamName; text: string }
  | { readonly output_type: "display_data"; data: Readonly<Record<string, unknown>>; readonly metadata: object }
  | ({ readonly output_type: "error" } & Failure);

/** What became of a cell. */
export interface CellResult {
  readonly outputs: Output[];
  readonly seconds: number;
  readonly failure?: Failure;
  /** The cell's line that failed, from 1, where it can be told. */
  readonly line?: number;
}

/** What a reader sees of a text: Jupyter's viewers, as terminals, write over a line from its beginning after a carriage return. */
export function visible(text: string): string {
  return text.includes("\r") ? text.split("\n").map(overwritten).join("\n") : text;
}

/** Column by column the last part that reaches it. */
function overwritten(line: string): string {
  if (!line.includes("\r")) return line;
  const seen: string[] = [];
  for (const part of line.split("\r").reverse()) {
    let column = 0;
    for (const character of part) if (column++ === seen.length) seen.push(character);
  }
  return seen.join("");
}

/** An output as Jupyter stores it: texts by lines, keys in order, so that a notebook that is run again changes little. */
export function stored(output: Output): object {
  if (output.output_type === "stream")
    return { name: output.name, output_type: "stream", text: lines(visible(output.text)) };
  if (output.output_type === "error") return sorted(output) as object;
  const data = Object.entries(output.data)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, value]) => [type, type.startsWith("text/") ? lines(String(value)) : sorted(value)]);
  return { data: Object.fromEntries(data), metadata: output.metadata, output_type: "display_data" };
}

const lines = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}
