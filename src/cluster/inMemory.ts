import { EventEmitter, on, once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { BeingWritten, type Offer, type PieceKey, type Port, type StoredAnswer, type StoredLine } from "./port.ts";

/** How a cluster in memory behaves. */
export interface InMemoryOptions {
  /** Seconds until a piece without an end is handed out again; 30 where it is left out. */
  readonly patience?: number;
  /** How long a worker waits for a piece, in seconds; 5 where it is left out. */
  readonly turn?: number;
  /** The clock: that of the system where it is left out. */
  readonly sleep?: Port["sleep"];
}

/** A run's part of the memory. */
interface Kept {
  readonly lines: StoredLine[];
  offered?: Pick<Offer, "base" | "kind">;
  /** Those that nobody is done with. */
  readonly pieces: Map<string, Piece>;
  /** Those of them that nobody has. */
  readonly queue: Set<Piece>;
  /** Workers that wait for a piece, the longest first. */
  readonly takers: Set<(piece: Piece) => void>;
  /** Those since the last line: others are of steps that are over. */
  answers: StoredAnswer[];
  readonly answered: Set<string>;
  /** Rings with each line and each answer. */
  readonly news: EventEmitter<Record<"line" | "answer", []>>;
}

interface Piece {
  readonly key: string;
  readonly text: string;
  /** Aborts when a worker is done with it, or another text is in its place. */
  readonly done: AbortController;
  /** Its worker has said so since its time began. */
  isKept: boolean;
}

const keyOf = ({ step, pair, shard }: PieceKey): string => `${step}.${pair}.${shard}`;

/** A cluster in the memory of this process, without a server: coordinators and workers that share the value are in it together. */
export function inMemory({ patience = 30, turn = 5, sleep = systemSleep }: InMemoryOptions = {}): Port {
  const runs = new Map<string, Kept>();
  const files = new Map<string, Uint8Array>();
  const of = (run: string): Kept => {
    const kept = runs.get(run) ?? nothing();
    runs.set(run, kept);
    return kept;
  };
  return {
    ...keepLines(of),
    offer: async ({ run, ...offered }) => {
      of(run).offered = offered;
    },
    offers: async () =>
      [...runs].flatMap(([run, { offered, queue }]) => (offered ? [{ run, ...offered, waiting: queue.size }] : [])),
    withdraw: async (run) => {
      const kept = of(run);
      delete kept.offered;
      kept.answers = [];
      for (const { done } of kept.pieces.values()) done.abort();
      for (const each of [kept.pieces, kept.queue, kept.answered]) each.clear();
    },
    ...handOut(of, { patience, turn, sleep }),
    ...keepAnswers(of),
    ...tellReports(),
    keepFile: async (name, content) => void files.set(name, content),
    file: async (name) => files.get(name),
    sleep,
    close: async () => {},
  };
}

function nothing(): Kept {
  return {
    ...{ lines: [], pieces: new Map(), queue: new Set(), takers: new Set(), answers: [], answered: new Set() },
    news: new EventEmitter<Record<"line" | "answer", []>>().setMaxListeners(0),
  };
}

type Of = (run: string) => Kept;

function keepLines(of: Of): Pick<Port, "lines" | "follow" | "append"> {
  return {
    lines: async (run) => [...of(run).lines],
    follow: async function* (run, place, signal) {
      const { lines, news } = of(run);
      for (let at = place; !signal.aborted; ) {
        const line = lines[at];
        if (line) {
          at++;
          yield line;
        } else await nextNews(news, "line", signal);
      }
    },
    append: async (run, text, place) => {
      const kept = of(run);
      if (kept.lines.length !== place) throw new BeingWritten(run);
      kept.lines.push({ text, place: place + 1 });
      kept.answers = [];
      kept.answered.clear();
      kept.news.emit("line");
      return place + 1;
    },
  };
}

function handOut(of: Of, { patience, turn, sleep }: Required<InMemoryOptions>): Pick<Port, "publish" | "take"> {
  /** Gives a piece to the worker that has waited longest, or leaves it for the next one that comes. */
  const put = ({ takers, queue }: Kept, piece: Piece): void => {
    const [taker] = takers;
    if (taker) taker(piece);
    else queue.add(piece);
  };
  const nextPut = ({ takers }: Kept, signal: AbortSignal): Promise<Piece | undefined> =>
    new Promise((resolve) => {
      const over = new AbortController();
      const end = (piece?: Piece): void => {
        takers.delete(end);
        signal.removeEventListener("abort", stop);
        over.abort();
        resolve(piece);
      };
      const stop = (): void => end();
      takers.add(end);
      signal.addEventListener("abort", stop);
      void sleep(turn, over.signal).then(stop);
    });
  const comeBack = async (kept: Kept, piece: Piece): Promise<void> => {
    do {
      piece.isKept = false;
      await sleep(patience, piece.done.signal);
    } while (piece.isKept && !piece.done.signal.aborted);
    if (!piece.done.signal.aborted) put(kept, piece);
  };
  return {
    publish: async (key, text) => {
      const kept = of(key.run);
      const { pieces, queue } = kept;
      const piece = { key: keyOf(key), text, done: new AbortController(), isKept: false };
      const before = pieces.get(piece.key);
      before?.done.abort();
      if (before) queue.delete(before);
      pieces.set(piece.key, piece);
      put(kept, piece);
    },
    take: async (run, signal) => {
      if (signal.aborted) return undefined;
      const kept = of(run);
      const { pieces, queue } = kept;
      const [first] = queue;
      if (first) queue.delete(first);
      const piece = first ?? (await nextPut(kept, signal));
      if (!piece) return undefined;
      void comeBack(kept, piece);
      const keep = (): void => {
        piece.isKept = true;
      };
      const done = async (): Promise<void> => {
        piece.done.abort();
        queue.delete(piece);
        if (pieces.get(piece.key) === piece) pieces.delete(piece.key);
      };
      return { text: piece.text, keep, done };
    },
  };
}

function keepAnswers(of: Of): Pick<Port, "answer" | "answers"> {
  return {
    answer: async (piece, text, worker) => {
      const { answers, answered, news } = of(piece.run);
      const key = `${keyOf(piece)}/${worker}`;
      if (answered.has(key)) return;
      answered.add(key);
      answers.push({ piece, text });
      news.emit("answer");
    },
    answers: async function* (run, signal) {
      const kept = of(run);
      for (let [list, at] = [kept.answers, 0]; !signal.aborted; ) {
        if (list !== kept.answers) [list, at] = [kept.answers, 0];
        const answer = list[at];
        if (answer) {
          at++;
          yield answer;
        } else await nextNews(kept.news, "answer", signal);
      }
    },
  };
}

function tellReports(): Pick<Port, "report" | "reports"> {
  const told = new EventEmitter().setMaxListeners(0);
  return {
    report: async (run, text) => void told.emit(run, text),
    reports: async function* (run, signal) {
      try {
        for await (const [text] of on(told, run, { signal })) yield text as string;
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
  };
}

async function nextNews(news: Kept["news"], of: "line" | "answer", signal: AbortSignal): Promise<void> {
  await once(news, of, { signal }).catch(() => {}); // aborted: whoever waits looks at the signal
}

const systemSleep: Port["sleep"] = (seconds, signal) =>
  setTimeout(1e3 * seconds, undefined, { ref: false, ...(signal && { signal }) }).catch(() => {});
