import { checkOptions, KitError } from "../error.ts";
import type { CarriedRun, Cluster } from "../experiment/tuneOptions.ts";
import type { LabelledBatch } from "../loss/encode.ts";
import { addParts, microBatches } from "../loss/objective.ts";
import type { Run, RunRecorder, UnfinishedRun } from "../record/run.ts";
import { deferSweeps } from "../tensor/deferred.ts";
import { isTunerDefined } from "../tuners/define.ts";
import type { Objective, Training, Tuner } from "../tuners/tuner.ts";
import { type Answers, awaitAnswers } from "./answers.ts";
import { toRows, writeMessage } from "./messages.ts";
import { BeingWritten, type PieceKey, type Port } from "./port.ts";
import { joinStream, listMissing, nameRun, type RunStream } from "./stream.ts";

/** Settings of giving a run to a cluster. */
export interface CoordinateOptions {
  /** Among how many pieces of rows a batch is divided; 1 where it is left out, for tuners with several z a step. */
  readonly shards?: number;
  /** The run's name in the cluster; by default one that its settings give. */
  readonly run?: string;
  /** Told of messages that were left aside, and why. */
  readonly onRefused?: (why: KitError) => void;
}

/**
 * The cluster behind a port, for `tune`: the run's steps are computed by its workers, the run goes on from where the cluster has it, and one that
 * it has to its end is given back at once. Which numbers a run gets does not depend on who computes them, nor on who dies meanwhile: they
 * are those of one process with a micro-batch of as many rows. Throws a KitError for options that do not fit.
 */
export function coordinate(port: Port, options: CoordinateOptions = {}): Cluster {
  const { shards = 1, run: name, onRefused = () => {}, ...unknown } = options;
  checkOptions("A cluster", unknown, ["shards", "run", "onRefused"]);
  if (!(Number.isInteger(shards) && shards >= 1))
    throw new KitError(`A cluster needs a whole number of shards from 1 on, not ${shards}.`);
  if (name !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(name))
    throw new KitError(`"${name}" is no name for a run in a cluster: take letters, digits, - and _, at most 64.`);
  const carryOn: Cluster["carryOn"] = async (at, go) => {
    checkPairs(at);
    const run = name ?? nameRun(at.past);
    const stream = await joinStream(port, run, at.past);
    await catchUp(at, stream.past);
    return "cost" in stream.past ? stream.past : goOn({ port, run, stream, onRefused }, at, go);
  };
  return { shards, carryOn };
}

/** Throws a KitError for a run whose steps are told by more than losses on both sides of theta, as far as its settings say so. */
function checkPairs({ tuner, settings }: CarriedRun): void {
  const found = settings.maximize ? `what makes ${settings.maximize.name} large` : tuner.name;
  if (isTunerDefined(tuner.name) && !settings.maximize) return;
  throw new KitError(
    `${found} was to be computed by a cluster, which computes losses on both sides of theta alone: take a tuner such as MeZO, without maximize.`,
  );
}

/** Tells this process's own recorder what the cluster has of the run beyond it. */
async function catchUp({ past, settings }: CarriedRun, further: UnfinishedRun): Promise<void> {
  const { record, resume } = settings;
  if (!record || further === past) return;
  if (!resume) await record.start(further.header, further.before);
  for (const one of listMissing(past, further)) await ("losses" in one ? record.step(one) : record.score(one));
}

/** A run that is computed in a cluster. */
interface Carried {
  readonly port: Port;
  readonly run: string;
  readonly stream: RunStream;
  readonly onRefused: (why: KitError) => void;
}

async function goOn(carried: Carried, at: CarriedRun, go: Parameters<Cluster["carryOn"]>[1]): Promise<Run> {
  const { port, run, stream, onRefused } = carried;
  const { past } = stream;
  const { header } = past;
  const answers = awaitAnswers(port, past, { run, onRefused });
  let begun: Promise<void> | undefined;
  const begin = async (): Promise<void> => {
    await stream.begin();
    await port.offer({ run, kind: "run", base: header.weightsHash });
  };
  const putOff = putSweepsOff(at.tuner);
  const isResumed = at.settings.resume !== undefined || past !== at.past;
  const settings = {
    ...at.settings,
    ...(isResumed && { resume: past }),
    record: both(at.settings.record, stream, putOff.settle),
    objectiveOf: remoteObjective({ ...at, past }, run, {
      answers,
      start: putOff.start,
      begin: () => {
        begun ??= begin();
        return begun;
      },
    }),
  };
  try {
    const made = await go(past, { ...at, past, tuner: putOff.tuner, settings });
    await stream.finish(made.cost);
    await port.withdraw(run);
    return made;
  } catch (error) {
    if (begun && !(error instanceof BeingWritten)) await port.withdraw(run).catch(() => {});
    throw error;
  } finally {
    answers.stop();
  }
}

/** Tells this process's own recorder and then the cluster, which has the header before it is asked for the first losses. */
function both(own: RunRecorder | undefined, { step, score }: RunStream, settle: () => Promise<void>): RunRecorder {
  return {
    start: (...given) => own?.start(...given),
    step: async (taken) => {
      try {
        await own?.step(taken);
        await step(taken);
      } finally {
        await settle();
      }
    },
    score: async (found) => {
      await own?.score(found);
      await score(found);
    },
  };
}

/** A tuner whose sweeps are put off. */
interface PutOff {
  readonly tuner: Tuner;
  /** From now on they are: the steps that come are new ones. */
  readonly start: () => void;
  /** Makes those of the step that was taken. */
  readonly settle: () => Promise<void>;
}

/**
 * The tuner with the last sweep of each step put off until `settle`, so that the step's line is with the workers before this process moves its own
 * weights: they move theirs at the same time.
 */
function putSweepsOff(tuner: Tuner): PutOff {
  const sweeps = deferSweeps();
  let release = (): void => {};
  let held: Promise<void> = Promise.resolve();
  let isLive = false; // a run that goes on takes its past steps again first
  const start = (): void => {
    isLive = true;
  };
  const begin: Tuner["begin"] = (theta, inFewPasses = (noise) => noise) => {
    const training = tuner.begin(theta, (noise) => sweeps.through(inFewPasses(noise)));
    const putOff: Training["step"] = (objective, at) =>
      new Promise((resolve, reject) => {
        const taken = async (): Promise<void> => {
          resolve(await training.step(objective, at));
          await new Promise<void>((end) => {
            release = end;
          });
        };
        held = sweeps.during(taken).catch(reject);
      });
    const step: Training["step"] = (...given) => (isLive ? putOff(...given) : training.step(...given));
    return { step, dispose: () => training.dispose() };
  };
  const settle = (): Promise<void> => {
    release();
    return held;
  };
  return { tuner: { ...tuner, begin }, start, settle };
}

/** Makes the objective of a step's batch, whose losses workers compute a part of the rows each, for each z of the step. */
function remoteObjective(
  { past, task, tuner, settings }: CarriedRun,
  run: string,
  {
    answers,
    begin,
    start,
  }: { readonly answers: Answers; readonly begin: () => Promise<void>; readonly start: () => void },
): (batch: LabelledBatch, step: number) => Objective {
  const { seed, passes } = past.header;
  const { loss } = task;
  const isAside = passes === "side" && tuner.options.noise !== "custom"; // theta stays where one loss is asked for
  return (whole, step) => {
    start();
    const batches = microBatches(whole, settings.microBatchSize ?? whole.examples.length, loss);
    const rows = batches.map(({ batch }) => toRows(batch));
    const found: (readonly number[] | undefined)[] = [];
    const look = async (index: number, count: number): Promise<readonly number[]> => {
      const pair = found.push(undefined) - 1;
      await begin();
      const known = knownOf(found);
      const parts = await Promise.all(
        rows.map((own, shard) => {
          const key: PieceKey = { run, step, pair, shard };
          const text = writeMessage({ ...key, z: { seed, step, index }, known, loss, rows: own });
          return answers.ask(key, text, count);
        }),
      );
      const sides = parts.map(([lossPlus, lossMinus = 0]) => ({ lossPlus: lossPlus!, lossMinus }));
      const { lossPlus, lossMinus } = addParts(batches, sides);
      found[pair] = [lossPlus, lossMinus].slice(0, count);
      return found[pair];
    };
    const lookOnce = async (index: number): Promise<number> => (await look(index, 1))[0]!;
    return {
      value: () => {
        if (isAside) return lookOnce(0);
        throw new KitError(
          `${tuner.name} was to be computed by a cluster, but it moves theta before it asks for a loss, and a cluster computes losses at theta and beside it: take a tuner such as MeZO.`,
        );
      },
      ...(isAside && { side: (_theta, { z: { index = 0 } }) => lookOnce(index) }),
      ...(!isAside && {
        pair: async (_theta, { z: { index = 0 } }) => {
          const [lossPlus, lossMinus] = await look(index, 2);
          return { lossPlus: lossPlus!, lossMinus: lossMinus! };
        },
      }),
    };
  };
}

/** The losses of a step's first looks, up to the first that is still awaited. */
function knownOf(found: readonly (readonly number[] | undefined)[]): number[] {
  const end = found.indexOf(undefined);
  return found.slice(0, end).flatMap((losses) => losses!);
}
