import { StringDecoder } from "node:string_decoder";

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
