import { EventEmitter, once, setMaxListeners } from "node:events";
import seedrandom from "seedrandom";
import { coordinate } from "../../src/cluster/coordinator.ts";
import { inMemory } from "../../src/cluster/inMemory.ts";
import { type PieceMessage, type Row, readPiece, toRows, writeMessage } from "../../src/cluster/messages.ts";
import type { Port } from "../../src/cluster/port.ts";
import type { KitError } from "../../src/error.ts";
import { KIT_VERSION, NOISE_VERSION } from "../../src/experiment/header.ts";
import type { Cluster } from "../../src/experiment/tuneOptions.ts";
import { addParts, microBatches } from "../../src/loss/objective.ts";
import type { Pair } from "../../src/tuners/tuner.ts";
import { type VirtualClock, virtualClock } from "./virtualClock.ts";

/** The losses of a piece in a simulation: two numbers near 1 that its rows and its z give. */
export function simulatedLosses({ z, rows }: Pick<PieceMessage, "z" | "rows">): Pair {
  const random = seedrandom.alea(JSON.stringify([z.seed, z.step, z.index, rows]));
  return { lossPlus: 1 + 0.1 * random(), lossMinus: 1 + 0.1 * random() };
}

/** One process that has the simulation's losses, each piece's after the other's, and no cluster. */
export function oneProcess(shards: number): Cluster {
  return {
    shards,
    carryOn: ({ past, ...at }, go) => {
      const { settings, task } = at;
      const objectiveOf: typeof settings.objectiveOf = (whole, step) => {
        const batches = microBatches(whole, settings.microBatchSize ?? whole.examples.length, task.loss);
        const lossesOf = (rows: Row[], index: number): Pair =>
          simulatedLosses({ z: { seed: past.header.seed, step, index }, rows });
        return {
          value: () => {
            throw new Error("A loss at one place was asked for.");
          },
          pair: (_theta, { z: { index = 0 } }) =>
            addParts(
              batches,
              batches.map(({ batch }) => lossesOf(toRows(batch), index)),
            ),
        };
      };
      return go(past, { past, ...at, settings: { ...settings, objectiveOf } });
    },
  };
}

/** What happens in a simulation. Times are in virtual seconds. */
export interface Fates {
  readonly workers: number;
  /** Rows of a step's batch, and what one process takes for the passes of all of them. */
  readonly rows: number;
  readonly passSeconds: number;
  /** What each piece takes beside its rows: its z is made. */
  readonly lookSeconds: number;
  /** What every worker, and the coordinator, takes to move its weights by a line. */
  readonly moveSeconds: number;
  /** Spread of the logarithm of how much longer than that a piece takes, whose median is 1. */
  readonly sigma: number;
  /** How often a worker dies with a piece in its hands, by piece; another comes in its place after `restSeconds`. */
  readonly deaths: number;
  readonly restSeconds: number;
  /** How often a piece is answered twice. */
  readonly twice: number;
  /** The share of workers that come late, at any time within `lateSeconds`. */
  readonly late: number;
  readonly lateSeconds: number;
  /** Seconds that every message takes each way. */
  readonly latency: number;
  /** Seconds until a piece is handed to another. */
  readonly patience: number;
  /** The calls of the port after which a coordinator dies, one number for each in turn; none does after the last. */
  readonly coordinatorDeaths: readonly number[];
  readonly seed: string;
}

/** Workers that are all the same, never fail and cost nothing but their passes. */
export const faultless: Fates = {
  ...{
    workers: 1,
    rows: 8,
    passSeconds: 1,
    lookSeconds: 0,
    moveSeconds: 0,
    sigma: 0,
    deaths: 0,
    restSeconds: 1,
    twice: 0,
  },
  ...{ late: 0, lateSeconds: 0, latency: 0, patience: 30, coordinatorDeaths: [], seed: "fates" },
};

/** What was seen to happen. */
export interface Happened {
  deaths: number;
  twice: number;
  late: number;
  coordinatorDeaths: number;
  pieces: number;
}

const onRefused = (why: KitError): never => {
  throw why; // nobody here writes what is none
};

/** A cluster in virtual time. */
export interface Simulation {
  readonly clock: VirtualClock;
  readonly port: Port;
  readonly happened: Readonly<Happened>;
  /** Has a run made by a coordinator; one that dies has another come in its place, which has nothing but the cluster. */
  coordinated<T>(shards: number, run: (cluster: Cluster) => Promise<T>): Promise<T>;
  /** Ends the workers. */
  stop(): void;
}

/** Starts workers for the run "one", which the real coordinator's pieces reach through the real port in memory. */
export function simulate(fates: Fates): Simulation {
  const clock = virtualClock();
  const port = inMemory({ sleep: clock.sleep, patience: fates.patience });
  const happened: Happened = { deaths: 0, twice: 0, late: 0, coordinatorDeaths: 0, pieces: 0 };
  const over = new AbortController();
  setMaxListeners(0, over.signal);
  const away = delayed(port, fates.latency);
  for (let i = 0; i < fates.workers; i++)
    void live(
      { clock, port: away, fates, happened, name: `w${i}`, random: seedrandom.alea(`${fates.seed}/${i}`) },
      over.signal,
    );
  const coordinated: Simulation["coordinated"] = async (shards, run) => {
    for (let life = 0; ; life++) {
      const watched = watch(
        mortal(moving(away, fates.moveSeconds), fates.coordinatorDeaths[life] ?? Number.POSITIVE_INFINITY),
      );
      try {
        return await clock.runUntil(run(coordinate(watched.port, { shards, run: "one", onRefused })), watched.isBusy);
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
        happened.coordinatorDeaths++;
        await clock.runUntil(clock.sleep(fates.restSeconds), () => false);
      }
    }
  };
  return { clock, port, happened, coordinated, stop: () => over.abort() };
}

/** The port of a coordinator, which moves its own weights by each line that it has written, before it asks for more. */
function moving(port: Port, moveSeconds: number): Port {
  const append: Port["append"] = async (...given) => {
    const place = await port.append(...given);
    await port.sleep(moveSeconds);
    return place;
  };
  return { ...port, append };
}

class Killed extends Error {}

/** The port of a process that dies at one of its calls, half of the time after the call was heard. */
function mortal(port: Port, calls: number): Port {
  let left = calls;
  const die = (): never => {
    throw new Killed(`after ${calls} calls`);
  };
  const dying = <Given extends readonly unknown[], Made>(call: (...given: Given) => Promise<Made>) => {
    return async (...given: Given): Promise<Made> => {
      if (left < 0 || (left === 0 && calls % 2 === 0)) die();
      left--;
      const made = await call(...given);
      return left < 0 ? die() : made;
    };
  };
  return {
    ...port,
    ...{ append: dying(port.append), offer: dying(port.offer), withdraw: dying(port.withdraw) },
    publish: dying(port.publish),
  };
}

/** A port that tells whether its process is at work: it waits for no call, and while it waits for an answer it sleeps. */
function watch(port: Port): { readonly port: Port; readonly isBusy: () => boolean } {
  let calls = 0;
  const counted = <Given extends readonly unknown[], Made>(call: (...given: Given) => Promise<Made>) => {
    return async (...given: Given): Promise<Made> => {
      calls++;
      try {
        return await call(...given);
      } finally {
        calls--;
      }
    };
  };
  const { lines, append, offer, withdraw, publish, sleep } = port;
  const all: Port = {
    ...{ ...port, lines: counted(lines), append: counted(append), offer: counted(offer), withdraw: counted(withdraw) },
    ...{ publish: counted(publish), sleep: counted(sleep) },
  };
  return { port: all, isBusy: () => calls === 0 };
}

/** A port whose messages take that many seconds each way. */
export function delayed(port: Port, seconds: number): Port {
  if (seconds === 0) return port;
  const { sleep } = port;
  const bothWays = <Given extends readonly unknown[], Made>(call: (...given: Given) => Promise<Made>) => {
    return async (...given: Given): Promise<Made> => {
      await sleep(seconds);
      const made = await call(...given);
      await sleep(seconds);
      return made;
    };
  };
  const { lines, append, offer, offers, withdraw, publish, answer } = port;
  return {
    ...{ ...port, lines: bothWays(lines), append: bothWays(append), offer: bothWays(offer) },
    ...{ offers: bothWays(offers), withdraw: bothWays(withdraw), publish: bothWays(publish), answer: bothWays(answer) },
    take: async (run, signal) => {
      await sleep(seconds, signal);
      const taken = await port.take(run, signal);
      await sleep(seconds);
      return taken;
    },
    follow: (run, place, signal) => late(port.follow(run, place, signal), port, seconds),
    answers: (run, signal) => late(port.answers(run, signal), port, seconds),
  };
}

/** Messages each of which comes that many seconds later, those behind it not held up. */
async function* late<Message>(
  messages: AsyncIterable<Message>,
  { sleep }: Port,
  seconds: number,
): AsyncGenerator<Message> {
  const under: Promise<Message>[] = [];
  const news = new EventEmitter();
  let isOver = false;
  void (async () => {
    for await (const message of messages) {
      under.push(sleep(seconds).then(() => message));
      news.emit("news");
    }
    isOver = true;
    news.emit("news");
  })();
  for (;;) {
    const next = under.shift();
    if (next) yield await next;
    else if (isOver) return;
    else await once(news, "news");
  }
}

/** A simulated worker. */
interface Worker {
  readonly clock: VirtualClock;
  readonly port: Port;
  readonly fates: Fates;
  readonly happened: Happened;
  readonly name: string;
  readonly random: () => number;
}

/** Comes, works until it dies, and comes again. */
async function live(worker: Worker, signal: AbortSignal): Promise<void> {
  const { clock, fates, happened, random } = worker;
  if (random() < fates.late) {
    happened.late++;
    await clock.sleep(random() * fates.lateSeconds);
  }
  for (let life = 0; !signal.aborted; life++) {
    const over = new AbortController();
    const end = (): void => over.abort();
    signal.addEventListener("abort", end);
    await serve({ ...worker, name: `${worker.name}-${life}` }, over.signal);
    signal.removeEventListener("abort", end);
    over.abort();
    if (signal.aborted) return;
    happened.deaths++;
    await clock.sleep(fates.restSeconds);
  }
}

/** What a simulated worker knows of its run, and where its weights are. */
interface Standing {
  base: string;
  /** The step that is due by the lines that have come, and when the last of them came. */
  step: number;
  cameAt: number;
  /** The step to which the weights have moved, and when the worker was last at work. */
  moved: number;
  freeAt: number;
}

/** Answers pieces until it dies; its weights follow the lines as a real worker's do. */
async function serve(worker: Worker, signal: AbortSignal): Promise<void> {
  const { port, fates, random } = worker;
  const standing: Standing = { base: "", step: 0, cameAt: 0, moved: 0, freeAt: 0 };
  const news = new EventEmitter();
  void follow(worker, standing, { news, signal });
  while (!signal.aborted) {
    const taken = await port.take("one", signal);
    if (!taken) {
      await port.offers();
      continue;
    }
    if (random() < fates.deaths) return;
    const piece = readPiece(taken.text, "one");
    while (standing.base === "" || standing.step < piece.step) await once(news, "news");
    if (piece.step === standing.step) await answer(worker, standing, piece);
    await taken.done();
  }
}

async function follow(
  { clock, port }: Worker,
  standing: Standing,
  { news, signal }: { readonly news: EventEmitter; readonly signal: AbortSignal },
): Promise<void> {
  for await (const { text } of port.follow("one", 0, signal)) {
    const line = JSON.parse(text);
    if (line.header) standing.base = line.header.weightsHash;
    if (line.losses) standing.step = line.step + 1;
    standing.cameAt = clock.now();
    news.emit("news");
  }
}

/** Moves the weights, computes and answers. */
async function answer(worker: Worker, standing: Standing, piece: PieceMessage): Promise<void> {
  const { clock, port, fates, happened, random, name } = worker;
  const movedAt = standing.moved < piece.step ? Math.max(standing.cameAt, standing.freeAt) + fates.moveSeconds : 0;
  standing.moved = piece.step;
  const seconds = fates.lookSeconds + (piece.rows.length / fates.rows) * fates.passSeconds;
  const slowness = Math.exp(fates.sigma * normal(random));
  await clock.sleep(Math.max(0, movedAt - clock.now()) + seconds * slowness);
  standing.freeAt = clock.now();
  happened.pieces++;
  const { run, step, pair, shard } = piece;
  const made = { base: standing.base, kit: KIT_VERSION, noise: NOISE_VERSION, ...simulatedLosses(piece) };
  const tell = (by: string): Promise<void> =>
    port.answer(piece, writeMessage({ run, step, pair, shard, worker: by, ...made }), by);
  await tell(name);
  if (random() >= fates.twice) return;
  happened.twice++;
  await tell(`${name}-again`);
}

/** A draw of the normal distribution (Box and Muller). */
const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
