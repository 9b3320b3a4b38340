import { format } from "node:util";

/** The error record that Jupyter stores with a cell. */
export interface Failure {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: string[];
}

/** Frames of the machinery; a reader needs only those of the cell and of the libraries. */
const OWN_FRAME = /^\s+at .*(node:vm|node:internal|tslab[/\\]dist|cli[/\\]notebooks)/;

/** What tslab's executor reported of a failed cell by one call of console.error, added to what it reported before. */
export function reported(before: Failure | undefined, args: readonly unknown[]): Failure {
  const text = format(...args);
  const [first] = args;
  const record =
    before ??
    (first instanceof Error
      ? { ename: first.name, evalue: first.message, traceback: [] }
      : { ename: "TypeScriptError", evalue: text, traceback: [] });
  // A KitError is one sentence for the user; where in the kit it was thrown is of no use to them.
  const lines = first instanceof Error && first.name === "KitError" ? [String(first)] : text.split("\n");
  for (const line of lines) if (!OWN_FRAME.test(line)) record.traceback.push(line);
  return record;
}

/** For a cell that failed without saying why. */
export const SILENT: Failure = { ename: "Error", evalue: "the cell failed without a reason", traceback: [] };

/** The line of a cell, from 1, that a failure speaks of, where it can be told: a compiler's position, or the line that was compiled to the one that threw. */
export function lineOf(failure: Failure, source: string, compiled: string): number | undefined {
  const atType = /^(\d+):\d+ - /.exec(failure.evalue)?.[1];
  if (atType !== undefined) return Number(atType);
  const thrown = /evalmachine\.<anonymous>:(\d+)/.exec(failure.traceback.join("\n"))?.[1];
  const text = thrown === undefined ? undefined : compiled.split("\n")[Number(thrown) - 1];
  return text === undefined ? undefined : mostAlike(source.split("\n"), text);
}

const words = (line: string): string[] => line.match(/[A-Za-z_$][\w$]*|\d+/g) ?? [];

/** The compiler changes a line's imports and types, but keeps most of its words. */
function mostAlike(lines: readonly string[], text: string): number | undefined {
  const wanted = new Set(words(text));
  const share = lines.map((line) => {
    const own = words(line);
    return own.filter((word) => wanted.has(word)).length / Math.max(own.length + wanted.size, 1);
  });
  const best = Math.max(...share);
  return best > 0 ? share.indexOf(best) + 1 : undefined;
}
