import { EventEmitter, once } from "node:events";
import { type Adapted, adaptedModel } from "../adapters/adapter.ts";
import { KitError, showValue } from "../error.ts";
import { computedBy, KIT_VERSION, NOISE_VERSION } from "../experiment/header.ts";
import { beginAdapter, checkBase, checkTheta, makeTuner, retrace } from "../experiment/replay.ts";
import { objectiveFor } from "../loss/objective.ts";
import { bringBaseBack, type LanguageModel } from "../models/network.ts";
import { listFields } from "../record/diff.ts";
import { type LineReader, lineReader } from "../record/lineReader.ts";
import { hashTheta } from "../record/observe.ts";
import type { RunHeader, UnfinishedRun } from "../record/run.ts";
import { firstOf, stepsTaken } from "../record/steps.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Progress } from "../tensor/progress.ts";
import { namedLosses, type PieceMessage, pieceName, readPiece, toBatch, writeMessage } from "./messages.ts";
import type { Port, StoredLine, TakenPiece } from "./port.ts";
import { Astray, type Standing, standAt } from "./standing.ts";

/** What a worker works with. */
export interface Worker {
  readonly model: LanguageModel;
  readonly port: Port;
  /** Its name in the cluster, which no other has. */
  readonly name: string;
  readonly signal: AbortSignal;
  readonly onProgress: Progress;
  readonly onRefused: (why: KitError) => void;
}

/** A run that is served. */
interface Served {
  readonly run: string;
  readonly reader: LineReader;
  readonly place: number;
  readonly past: UnfinishedRun;
  /** The model with the run's weights in it, or with its adapter beside them. */
  readonly tuned: LanguageModel;
  readonly theta: readonly Parameter[];
}

/** Works for a run until it ends, or until another has work and it has none; says whether it has ended. Throws a KitError where it cannot be worked for. */
export async function serve(worker: Worker, run: string): Promise<boolean> {
  const { model, port } = worker;
  const reader = lineReader(`Run ${run} of the cluster`);
  const lines = await port.lines(run);
  for (const { text } of lines) reader.read(toLine(text));
  const past = reader.run();
  if (!past || "cost" in past) return past !== undefined;
  checkWorker(model, past);
  const { header } = firstOf(past);
  model.restore();
  let adapted: Adapted | undefined;
  try {
    adapted = beginAdapter(model, header);
    const theta = adapted?.parameters ?? model.parameters;
    const tuned = adapted ? adaptedModel(model, adapted) : model;
    return await follow(worker, { run, reader, place: lines.at(-1)!.place, past, tuned, theta });
  } finally {
    adapted?.dispose();
    if (!adapted) bringBaseBack(model, header.method);
  }
}

const toLine = (text: string): Buffer => Buffer.from(`${text}\n`);

/** Throws a KitError unless a model's losses here are those that the run's own machine would have, to the bit. */
function checkWorker(model: LanguageModel, run: UnfinishedRun): void {
  checkBase(model, run);
  const here = listFields(computedBy(model));
  const there = listFields(computedThere(run.header));
  const what = [...new Set([...here.keys(), ...there.keys()])].find((name) => here.get(name) !== there.get(name));
  if (what === undefined) return;
  throw new KitError(
    `The run's losses are computed with ${what} ${showValue(there.get(what))}, but this worker has ${showValue(here.get(what))}: start it as the run's coordinator was started, MEZO_CPU lowers a processor's level.`,
  );
}

function computedThere({ kit, backend, products, processor, weights }: RunHeader): ReturnType<typeof computedBy> {
  return {
    ...{ kit, backend, products: products ?? "float32", processor: processor ?? "none" },
    ...(weights && { weights }),
  };
}

/** Brings the weights to the run's last line, and then takes lines and pieces as they come. */
async function follow(worker: Worker, served: Served): Promise<boolean> {
  const { model, port, onProgress } = worker;
  const { run, past, theta, place } = served;
  const training = await retrace(theta, past, onProgress, makeTuner(past.header));
  const over = new AbortController();
  const either = AbortSignal.any([worker.signal, over.signal]);
  try {
    await checkTheta(theta, past, model);
    const standing = standAt(training, past.header, stepsTaken(past));
    const ground: Ground = { ...served, standing, news: new EventEmitter(), inTurn: turns() };
    const lines = takeLines(ground, port.follow(run, place, either));
    const pieces = takePieces(worker, ground, either);
    return await Promise.race([lines, pieces]);
  } finally {
    over.abort();
    training.dispose();
  }
}

/** Where a worker stands in a run: lines and pieces take turns at the weights. */
interface Ground extends Served {
  readonly standing: Standing;
  readonly news: EventEmitter;
  readonly inTurn: <T>(job: () => Promise<T>) => Promise<T>;
}

/** Does one job after the other. */
function turns(): Ground["inTurn"] {
  let last: Promise<unknown> = Promise.resolve();
  return (job) => {
    const next = last.then(job, job);
    last = next.catch(() => {});
    return next;
  };
}

/** Moves the weights by each line; returns when the run has ended. */
async function takeLines(ground: Ground, lines: AsyncIterable<StoredLine>): Promise<boolean> {
  const { reader, standing, theta, inTurn, news } = ground;
  for await (const { text } of lines) {
    const line = reader.read(toLine(text));
    if ("cost" in line) return true;
    if ("losses" in line) await inTurn(() => standing.take(line));
    if ("on" in line && line.theta !== undefined) {
      const own = await inTurn(() => hashTheta(theta));
      if (own !== line.theta)
        throw new Astray(`Step ${line.step} left this worker with the weights ${own}, and the run with ${line.theta}.`);
    }
    news.emit("news");
  }
  return false;
}

/** Answers pieces; returns when the run is offered no more, or another has work and it has none. */
async function takePieces(worker: Worker, ground: Ground, signal: AbortSignal): Promise<boolean> {
  const { port, onRefused } = worker;
  const { run } = ground;
  while (!signal.aborted) {
    const taken = await port.take(run, signal);
    if (taken) {
      try {
        await answerPiece(worker, ground, taken);
      } catch (error) {
        if (!(error instanceof KitError) || error instanceof Astray) throw error;
        onRefused(error);
        await taken.done();
      }
    } else if (!signal.aborted) {
      const offers = await port.offers();
      if (!offers.some((offer) => offer.run === run)) return true;
      if (offers.some((offer) => offer.run !== run && offer.waiting > 0 && offer.base === worker.model.weightsHash))
        return false;
    }
  }
  return false;
}

/** Computes a piece and answers it; one of a step whose line is there already needs no answer. */
async function answerPiece(worker: Worker, ground: Ground, { text, done }: TakenPiece): Promise<void> {
  const { port, name, model } = worker;
  const { standing, past, inTurn } = ground;
  const piece = readPiece(text, ground.run);
  const batch = toBatch(piece, ground.tuned);
  await reach(ground, piece);
  const losses = piece.step < standing.step ? undefined : await inTurn(() => compute(ground, piece, batch));
  if (losses) {
    const { run, step, pair, shard } = piece;
    const made = { base: model.weightsHash, kit: KIT_VERSION, noise: NOISE_VERSION };
    await port.answer(
      piece,
      writeMessage({ run, step, pair, shard, worker: name, ...made, ...namedLosses(losses) }),
      name,
    );
    const total = Number(past.header.settings.steps);
    worker.onProgress({
      label: past.header.method,
      done: Math.min(step + 1, total),
      total,
      loss: losses.reduce((sum, loss) => sum + loss / losses.length, 0),
    });
  }
  await done();
}

/** Milliseconds in which a run's lines come up to a piece, which is published behind them. */
const LINES_WITHIN = 60_000;

/** Waits until the weights are at a piece's step, or beyond it. Throws a KitError where they do not come there. */
async function reach({ standing, news }: Ground, piece: PieceMessage): Promise<void> {
  const late = AbortSignal.timeout(LINES_WITHIN);
  while (standing.step < piece.step && !late.aborted) await once(news, "news", { signal: late }).catch(() => {});
  if (standing.step < piece.step)
    throw new KitError(
      `Piece ${pieceName(piece)} was left aside, as the run has come to step ${standing.step} only: see who else writes to the cluster.`,
    );
}

/** A piece's losses; undefined where its step's line came first. */
async function compute(
  { standing, tuned, past }: Ground,
  piece: PieceMessage,
  batch: ReturnType<typeof toBatch>,
): Promise<readonly number[] | undefined> {
  if (piece.step < standing.step) return undefined;
  const look = await standing.lookOf(piece.pair, piece.known);
  const { seed, step, index = 0 } = look.z ?? piece.z;
  if (piece.z.seed !== seed || piece.z.step !== step || piece.z.index !== index)
    throw new KitError(
      `Piece ${pieceName(piece)} was left aside, as it is along z ${showValue(piece.z)} and ${past.header.method} looks along ${showValue({ seed, step, index })}: see who else writes to the cluster.`,
    );
  return look.losses(objectiveFor(tuned, { loss: piece.loss }, {})(batch));
}
