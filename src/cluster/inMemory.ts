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
  readonly pieces: Map<string, Piece>;
  readonly queue: Piece[];
  readonly answers: StoredAnswer[];
  readonly answered: Set<string>;
}

interface Piece {
  readonly text: string;
  isDone: boolean;
  /** Its worker has said so since its time began. */
  isKept: boolean;
}

const keyOf = ({ step, pair, shard }: PieceKey): string => `${step}.${pair}.${shard}`;

/** A cluster in the memory of this process, without a server: coordinators and workers that share the value are in it together. */
export function inMemory({ patience = 30, turn = 5, sleep = systemSleep }: InMemoryOptions = {}): Port {
  const runs = new Map<string, Kept>();
  const files = new Map<string, Uint8Array>();
  const news = new EventEmitter().setMaxListeners(0);
  const memory: Memory = {
    of: (run) => {
      const kept = runs.get(run) ?? { lines: [], pieces: new Map(), queue: [], answers: [], answered: new Set() };
      runs.set(run, kept);
      return kept;
    },
    news,
    ring: () => void news.emit("news"),
  };
  return {
    ...keepLines(memory),
    offer: async ({ run, ...offered }) => {
      memory.of(run).offered = offered;
    },
    offers: async () =>
      [...runs].flatMap(([run, { offered, queue }]) => (offered ? [{ run, ...offered, waiting: queue.length }] : [])),
    withdraw: async (run) => {
      const { lines } = memory.of(run);
      runs.delete(run);
      memory.of(run).lines.push(...lines);
      memory.ring();
    },
    ...handOut(memory, { patience, turn, sleep }),
    ...keepAnswers(memory),
    ...tellReports(),
    keepFile: async (name, content) => void files.set(name, content),
    file: async (name) => files.get(name),
    sleep,
    close: async () => {},
  };
}

interface Memory {
  readonly of: (run: string) => Kept;
  readonly news: EventEmitter;
  readonly ring: () => void;
}

function keepLines({ of, news, ring }: Memory): Pick<Port, "lines" | "follow" | "append"> {
  return {
    lines: async (run) => [...of(run).lines],
    follow: (run, place, signal) => listen(() => of(run).lines, news, { from: place, signal }),
    append: async (run, text, place) => {
      const { lines } = of(run);
      if (lines.length !== place) throw new BeingWritten(run);
      lines.push({ text, place: place + 1 });
      ring();
      return place + 1;
    },
  };
}

function handOut(
  { of, news, ring }: Memory,
  { patience, turn, sleep }: Required<InMemoryOptions>,
): Pick<Port, "publish" | "take"> {
  const put = (queue: Piece[], piece: Piece): void => {
    queue.push(piece);
    ring();
  };
  const comeBack = async (queue: Piece[], piece: Piece): Promise<void> => {
    do {
      piece.isKept = false;
      await sleep(patience);
    } while (piece.isKept && !piece.isDone);
    if (!piece.isDone) put(queue, piece);
  };
  return {
    publish: async (piece, text) => {
      const { pieces, queue } = of(piece.run);
      const [key, own] = [keyOf(piece), { text, isDone: false, isKept: false }];
      const before = pieces.get(key);
      if (before) before.isDone = true;
      pieces.set(key, own);
      put(queue, own);
    },
    take: async (run, signal) => {
      const turnOver = new AbortController();
      const over = AbortSignal.any([signal, turnOver.signal]);
      void sleep(turn, over).then(() => turnOver.abort());
      let piece: Piece | undefined;
      while (!piece && !over.aborted) {
        piece = takeNext(of(run).queue);
        if (!piece) await nextNews(news, over);
      }
      turnOver.abort();
      if (!piece) return undefined;
      const { queue } = of(run);
      void comeBack(queue, piece);
      const own = piece;
      const keep = (): void => {
        own.isKept = true;
      };
      const done = async (): Promise<void> => {
        own.isDone = true;
      };
      return { text: piece.text, keep, done };
    },
  };
}

function takeNext(queue: Piece[]): Piece | undefined {
  const piece = queue.shift();
  return piece?.isDone ? takeNext(queue) : piece;
}

function keepAnswers({ of, news, ring }: Memory): Pick<Port, "answer" | "answers"> {
  return {
    answer: async (piece, text, worker) => {
      const { answers, answered } = of(piece.run);
      const key = `${keyOf(piece)}/${worker}`;
      if (!answered.has(key)) answers.push({ piece, text });
      answered.add(key);
      ring();
    },
    answers: (run, signal) => listen(() => of(run).answers, news, { from: 0, signal }),
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

/** The items of a list that grows, from one on, until the signal aborts. */
async function* listen<Item>(
  list: () => readonly Item[],
  news: EventEmitter,
  { from, signal }: { readonly from: number; readonly signal: AbortSignal },
): AsyncGenerator<Item> {
  for (let at = from; !signal.aborted; ) {
    const item = list()[at];
    if (item === undefined) await nextNews(news, signal);
    else {
      at++;
      yield item;
    }
  }
}

async function nextNews(news: EventEmitter, signal: AbortSignal): Promise<void> {
  await once(news, "news", { signal }).catch(() => {}); // aborted: whoever waits looks at the signal
}

const systemSleep: Port["sleep"] = (seconds, signal) =>
  setTimeout(1e3 * seconds, undefined, { ref: false, ...(signal && { signal }) }).catch(() => {});
