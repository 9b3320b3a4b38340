import { StringDecoder } from "node:string_decoder";
import { format } from "node:util";

/** The two streams that a cell writes to. */
export type StreamName = "stdout" | "stderr";

/** Text waits for more until such a window ends. */
const WINDOW_MILLISECONDS = 100;

/** Messages that a window has before text must wait: what is printed before a long computation is seen during it. */
const AT_ONCE = 4;

/** Text is sent at once from here on. */
const MOST_CHARACTERS = 2 ** 16;

/** Changes between the streams whose order is kept, in a cell and then in each window: a client of 2.5 ms a message keeps up with them. */
const CHANGES = 500;
const CHANGES_A_WINDOW = 32;

/** What a cell writes, merged into few messages. */
export interface MergedStreams {
  write(name: StreamName, text: string): void;
  /** Sends what waits: before whatever is to come after it. */
  flush(): void;
}

/**
 * Merges what a cell writes: a message a line would leave Jupyter's clients so far behind that they give up on the rest. A few texts are
 * sent at once, what follows within 100 ms or at 64 KB. Each stream is in order, and both together are too, for as long as a cell that
 * changes between them without end leaves room for.
 */
export function mergedStreams(send: (name: StreamName, text: string) => void): MergedStreams {
  let waiting: { readonly name: StreamName; text: string }[] = [];
  let characters = 0;
  let windowEnd = Number.NEGATIVE_INFINITY;
  let left = AT_ONCE;
  let changes = CHANGES;
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const messages = waiting;
    [waiting, characters] = [[], 0];
    for (const { name, text } of messages) send(name, text);
  };
  const add = (name: StreamName, text: string): void => {
    const last = changes > 0 ? waiting.at(-1) : waiting.findLast((other) => other.name === name);
    if (last?.name === name) last.text += text;
    else {
      waiting.push({ name, text });
      changes--;
    }
    characters += text.length;
  };
  return {
    flush,
    write: (name, text) => {
      if (text === "") return;
      add(name, text);
      // By the clock, since a loop that never ends its turn lets no timer in.
      const now = performance.now();
      if (now >= windowEnd) {
        [windowEnd, left] = [now + WINDOW_MILLISECONDS, AT_ONCE];
        changes = Math.max(changes, CHANGES_A_WINDOW);
      }
      if (left > 0 || characters >= MOST_CHARACTERS) {
        left--;
        flush();
      } else timer ??= setTimeout(flush, windowEnd - now);
    },
  };
}

/** A stream's `write` that hands its text on: bytes as UTF-8, characters that are cut in two put together again. */
export function writer(take: (text: string) => void): typeof process.stdout.write {
  const decoder = new StringDecoder("utf8");
  return (chunk: string | Uint8Array, ...rest: unknown[]) => {
    take(typeof chunk === "string" ? chunk : decoder.write(Buffer.from(chunk)));
    const written = rest.find((each) => typeof each === "function") as (() => void) | undefined;
    if (written) process.nextTick(written);
    return true;
  };
}

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

/** The line of a cell, from 1, that a failure is about, where it is known: a compiler's position, or the line that was compiled to the one that threw. */
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
