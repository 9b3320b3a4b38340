import { EventEmitter, once } from "node:events";
import { KitError } from "../error.ts";
import { edited, isSame } from "../experiment/replay.ts";
import type { RunHeader, StepRecord } from "../record/run.ts";
import type { Draw } from "../tensor/parameter.ts";
import type { Objective, StepAt, StepResult, Training } from "../tuners/tuner.ts";

/** Where a step looks: on both sides of theta along a z, on one, or at theta. */
export interface Look {
  /** What z is drawn from; none at theta. */
  readonly z?: Draw;
  /** How many losses it is for: of both sides, or one. */
  readonly count: 1 | 2;
  /** The losses there. */
  losses(objective: Objective): Promise<readonly number[]>;
}

/** The weights of a run at its last line, and the step that is due there, which the run's own tuner has begun and which waits for its losses. */
export interface Standing {
  /** The number of the step that is due, from 0. */
  readonly step: number;
  /**
   * Where the look of that number of the due step is; `known` are the step's losses so far. Throws a KitError where the tuner does
   * not ask for it.
   */
  lookOf(pair: number, known: readonly number[]): Promise<Look>;
  /** Moves the weights by the line of the due step. Throws an `Astray` where they have moved otherwise before, and a KitError for a line that does not follow. */
  take(record: StepRecord): Promise<void>;
}

/** A worker's weights are not those of the run: it has to make them again. */
export class Astray extends KitError {}

/** Stands where the training is after `step` steps of the run of that header. */
export function standAt(training: Training, header: RunHeader, step: number): Standing {
  const begin = (at: number): DueStep =>
    beginStep(training, { seed: header.seed, step: at, total: Number(header.settings.steps) }, header.passes);
  let [at, due] = [step, undefined as DueStep | undefined];
  return {
    get step() {
      return at;
    },
    lookOf: (pair, known) => {
      due ??= begin(at);
      return due.lookOf(pair, known);
    },
    take: async (record) => {
      if (record.step !== at) throw new KitError(`Step ${record.step} came where ${at} is due.`);
      due ??= begin(at);
      const { projectedGrad } = await due.take(record.losses);
      if (!isSame(projectedGrad, record.projectedGrad)) throw edited(at, header);
      at++;
      due = undefined;
    },
  };
}

interface DueStep {
  lookOf(pair: number, known: readonly number[]): Promise<Look>;
  take(losses: readonly number[]): Promise<StepResult>;
}

type LookAt = (look: Look) => Promise<readonly number[]>;

/** What a tuner asks that looks on both sides of theta. */
function twoSided(look: LookAt, step: number): Objective {
  return {
    value: () => {
      throw new KitError(`Step ${step} asks for a loss at one place, which is no work for a cluster.`);
    },
    pair: async (theta, shift) => {
      const losses: Look["losses"] = async ({ pair }) => {
        const { lossPlus, lossMinus } = await pair!(theta, shift);
        return [lossPlus, lossMinus];
      };
      const [lossPlus, lossMinus] = await look({ z: shift.z, count: 2, losses });
      return { lossPlus: lossPlus!, lossMinus: lossMinus! };
    },
  };
}

/** What a tuner asks that looks at theta and at theta + eps z. */
function oneSided(look: LookAt): Objective {
  return {
    value: async () => (await look({ count: 1, losses: async ({ value }) => [await value()] }))[0]!,
    side: async (theta, shift) => {
      const losses: Look["losses"] = async ({ side }) => [await side!(theta, shift)];
      return (await look({ z: shift.z, count: 1, losses }))[0]!;
    },
  };
}

/** Milliseconds in which a tuner asks for a pair whose turn it is: it may have a mask or factors to make first. */
const ASKS_WITHIN = 60_000;

/** Has the tuner begin a step; its losses are given when they are known. */
function beginStep(training: Training, at: StepAt, passes: RunHeader["passes"]): DueStep {
  const news = new EventEmitter().setMaxListeners(0);
  const looks: Look[] = [];
  let given: readonly number[] = [];
  const give = (losses: readonly number[]): void => {
    if (losses.slice(0, given.length).some((loss, i) => loss !== given[i])) throw astray(at.step);
    if (losses.length > given.length) given = losses;
    news.emit("news");
  };
  const asked = (): number => looks.reduce((sum, { count }) => sum + count, 0);
  const look = async (one: Look): Promise<readonly number[]> => {
    const first = asked();
    looks.push(one);
    news.emit("news");
    while (given.length < first + one.count) await once(news, "news");
    return given.slice(first, first + one.count);
  };
  const objective = passes === "side" ? oneSided(look) : twoSided(look, at.step);
  const taken = training.step(objective, at);
  let isOver = false;
  const end = (): void => {
    isOver = true;
    news.emit("news");
  };
  taken.then(end, end); // whoever waits for the step is told how it ended
  return {
    lookOf: async (pair, known) => {
      give(known);
      const late = AbortSignal.timeout(ASKS_WITHIN);
      while (looks.length <= pair && known.length >= asked() && !isOver && !late.aborted)
        await once(news, "news", { signal: late }).catch(() => {});
      if (looks[pair]) return looks[pair];
      throw new KitError(
        `A piece of step ${at.step} has pair ${pair}, which the run's tuner does not ask for: it was left aside.`,
      );
    },
    take: async (losses) => {
      give(losses);
      const result = await taken;
      if (losses.length !== asked()) throw astray(at.step);
      return result;
    },
  };
}

const astray = (step: number): Astray =>
  new Astray(`Step ${step} was begun with other losses than its line has: the run's weights are made again.`);
