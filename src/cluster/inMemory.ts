import { EventEmitter, once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { beingWritten, type Offer, type PieceKey, type Port, type StoredAnswer, type StoredLine } from "./port.ts";

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
  base?: string;
  readonly known: Set<string>;
  readonly queue: Piece[];
  readonly answers: StoredAnswer[];
  readonly answered: Set<string>;
}

interface Piece {
  readonly text: string;
  isDone: boolean;
}

const keyOf = ({ step, pair, shard }: PieceKey): string => `${step}.${pair}.${shard}`;

/** A cluster in the memory of this process, without a server: coordinators and workers that share the value are in it together. */
export function inMemory({ patience = 30, turn = 5, sleep = systemSleep }: InMemoryOptions = {}): Port {
  const runs = new Map<string, Kept>();
  const news = new EventEmitter().setMaxListeners(0);
  const memory: Memory = {
    of: (run) => {
      const kept = runs.get(run) ?? { lines: [], known: new Set(), queue: [], answers: [], answered: new Set() };
      runs.set(run, kept);
      return kept;
    },
    news,
    ring: () => void news.emit("news"),
  };
  return {
    ...keepLines(memory),
    offer: async ({ run, base }) => {
      memory.of(run).base = base;
    },
    offers: async () => [...runs].flatMap(([run, { base, queue }]) => offerOf(run, base, queue.length)),
    withdraw: async (run) => {
      const { lines } = memory.of(run);
      runs.delete(run);
      memory.of(run).lines.push(...lines);
      memory.ring();
    },
    ...handOut(memory, { patience, turn, sleep }),
    ...keepAnswers(memory),
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
      if (lines.length !== place) throw beingWritten(run);
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
    await sleep(patience);
    if (!piece.isDone) put(queue, piece);
  };
  return {
    publish: async (piece, text, attempt) => {
      const { known, queue } = of(piece.run);
      const key = `${keyOf(piece)}/${attempt}`;
      if (!known.has(key)) put(queue, { text, isDone: false });
      known.add(key);
    },
    take: async (run, signal) => {
      const over = AbortSignal.any([signal, endOf(sleep(turn, signal))]);
      while (of(run).queue.length === 0 && !over.aborted) await nextNews(news, over);
      const { queue } = of(run);
      const piece = signal.aborted ? undefined : queue.shift();
      if (!piece) return undefined;
      void comeBack(queue, piece);
      const done = async (): Promise<void> => {
        piece.isDone = true;
      };
      return { text: piece.text, done };
    },
  };
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

const offerOf = (run: string, base: string | undefined, waiting: number): Offer[] =>
  base === undefined ? [] : [{ run, base, waiting }];

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

function endOf(work: Promise<void>): AbortSignal {
  const controller = new AbortController();
  void work.then(() => controller.abort());
  return controller.signal;
}

const systemSleep: Port["sleep"] = (seconds, signal) =>
  setTimeout(1e3 * seconds, undefined, { ref: false, ...(signal && { signal }) }).catch(() => {});
