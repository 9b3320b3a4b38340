import { readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { KitError } from "../../error.ts";
import { ownProgram, ProcessEnded, runProcess } from "../../measure/process.ts";
import type { Failure, StreamName } from "./streams.ts";

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
  /** The cell's line that failed, from 1, where it is known. */
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

/** A notebook's file, of which only the code cells matter here. */
export interface Notebook {
  readonly metadata?: object;
  readonly cells: {
    readonly cell_type: string;
    readonly source: string | string[];
    outputs?: object[];
    execution_count?: number | null;
  }[];
}

/** What became of a notebook: `failed` is one line that names the notebook, the cell and the line. */
export interface Outcome {
  readonly name: string;
  readonly notebook: Notebook;
  readonly cells: number;
  readonly seconds: number;
  /** The files of data/ that its cells read, as `watchReads` has them. */
  readonly reads: readonly string[];
  readonly failed?: string;
}

/** What the process of a notebook does: its cells in order, until one fails. */
export interface NotebookJob {
  readonly cells: readonly string[];
}

/** Ends a start that hangs; on a busy machine one takes a minute. */
const START_SECONDS = 600;

/** The text of a cell. */
export const sourceOf = ({ source }: { readonly source: string | string[] }): string => [source].flat().join("");

/** How long one cell may take, its environment, and what is called before each cell. */
export interface NotebookOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly secondsPerCell: number;
  readonly onCell?: (done: number, total: number) => void;
}

/**
 * Runs a notebook's cells in order with tslab's own compiler, type check included, in a process of its own, until one fails, and
 * puts what they show into it. Throws a KitError for a file that is no notebook.
 */
export async function runNotebook(file: string, { env, secondsPerCell, onCell }: NotebookOptions): Promise<Outcome> {
  const name = basename(file);
  const notebook = readNotebook(file);
  const code = notebook.cells.filter((cell) => cell.cell_type === "code" && sourceOf(cell).trim() !== "");
  const started = performance.now();
  const limit = timeLimit(START_SECONDS);
  let failed: string | undefined;
  let cells = 0;
  let reads: string[] = [];
  const begin = (): void => {
    limit.restart(secondsPerCell);
    cells++;
    onCell?.(cells, code.length);
  };
  const end = (result: CellResult): void => {
    const cell = code[cells - 1]!;
    cell.execution_count = cells;
    cell.outputs = result.outputs.map(stored);
    failed = failureText(result, name, cells, sourceOf(cell));
  };
  try {
    reads = await runProcess<string[], CellEvent>({
      program: ownProgram("cli/notebooks/child.js"),
      job: { cells: code.map(sourceOf) } satisfies NotebookJob,
      ...{ cwd: dirname(resolve(file)), env: { ...env, MEZO_NOTEBOOK: basename(file, ".ipynb") } },
      signal: limit.signal,
      onProgress: (event) => (event === "begin" ? begin() : end(event)),
    });
  } catch (error) {
    const { message } = error as Error;
    failed = `${name}, cell ${cells}: ${error instanceof ProcessEnded ? `its process ended (${message})` : message}.`;
  } finally {
    limit.stop();
  }
  const seconds = (performance.now() - started) / 1000;
  return { name, notebook, cells, seconds, reads, ...(failed !== undefined && { failed }) };
}

/** What a notebook's process reports: that the next cell begins, and what became of it. */
export type CellEvent = "begin" | CellResult;

/** A signal that aborts some seconds after the last `restart`. */
function timeLimit(first: number): { readonly signal: AbortSignal; restart(seconds: number): void; stop(): void } {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => clearTimeout(timer);
  const restart = (seconds: number): void => {
    stop();
    timer = setTimeout(() => controller.abort(new Error(`no end in ${seconds} s`)), seconds * 1000);
  };
  restart(first);
  return { signal: controller.signal, restart, stop };
}

function readNotebook(file: string): Notebook {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Notebook;
  } catch (error) {
    throw new KitError(
      `${file} was to be run, but it is no notebook that can be read (${(error as Error).message}); check its path.`,
    );
  }
}

function failureText({ failure, line }: CellResult, name: string, cell: number, source: string): string | undefined {
  if (!failure) return undefined;
  const where = line === undefined ? "" : `, line ${line} (${source.split("\n")[line - 1]?.trim()})`;
  return `${name}, cell ${cell}${where}: ${failure.ename}: ${failure.evalue}`;
}
