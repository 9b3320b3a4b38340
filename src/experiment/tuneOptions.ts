import type { Adapted, Adapter } from "../adapters/adapter.ts";
import { checkOptions, KitError } from "../error.ts";
import { type Begin, checkBegin, type LabelledBatch } from "../loss/encode.ts";
import type { Measure } from "../loss/score.ts";
import type { LanguageModel } from "../models/network.ts";
import type { ChooseBy, Run, RunRecorder, UnfinishedRun } from "../record/run.ts";
import type { Task } from "../tasks/task.ts";
import type { Progress } from "../tensor/progress.ts";
import type { Objective, Tuner } from "../tuners/tuner.ts";

/**
 * Settings of a training run; the paper's for OPT are 20,000 steps of 16 examples, scored on dev every 4,000 (Table 16), and for RoBERTa
 * 100,000 of 64, scored every 10,000 (Table 15).
 */
export interface TuneOptions {
  /** Steps in all, those of a run that is resumed or begun from among them. */
  readonly steps: number;
  readonly batchSize?: number;
  /** Examples that are run at once, the batch's loss being the mean over such pieces under one z; without it the whole batch. */
  readonly microBatchSize?: number;
  /** Steps between two scores of the dev part: a fifth of all, or a tenth with masked models, as the authors have it. */
  readonly evaluateEvery?: number;
  /** What makes a dev score the best yet: the lowest loss, or the highest score, which the authors take with masked models. */
  readonly chooseBy?: ChooseBy;
  readonly seed?: number;
  readonly begin?: Begin;
  /** Trains the adapter's weights and leaves the model's as they are. */
  readonly adapter?: Adapter;
  /** What to make large instead of making the task's loss small. */
  readonly maximize?: Measure;
  /** Backpropagation keeps only each layer's input and computes the rest again: less memory, one more forward pass. */
  readonly checkpointing?: boolean;
  /** Leaves the last weights in the model instead of bringing the base weights back; an adapter is left to `onAdapted`. */
  readonly keepWeights?: boolean;
  /**
   * Keeps a copy of the trained weights whenever dev is at its best, 4 bytes a trained weight, so that `bestModel` can put them back: needed
   * for FT, whose steps no file tells. Elsewhere they are recomputed from the run without it.
   */
  readonly keepBest?: boolean;
  /** Given the trained adapter, which the run frees afterwards, for example to save it. */
  readonly onAdapted?: (adapted: Adapted) => void | Promise<void>;
  /** The method's name where it is not the tuner's with the adapter's. */
  readonly method?: string;
  /** An interrupted run of these very settings, which is resumed as if it had not been interrupted. */
  readonly resume?: UnfinishedRun;
  /**
   * A run to start from, cut where it is to be left (`cut`): its weights are recomputed, and these settings hold from there. Of a
   * probe it is the rows that it has put into the output matrix ("LP-MeZO", Table 19).
   */
  readonly from?: UnfinishedRun;
  readonly onProgress?: Progress;
  /** Told of each piece of the run as it is made, so that it can be written down at once. */
  readonly record?: RunRecorder;
  /** Machines that compute the steps' losses in place of this one. */
  readonly cluster?: Cluster;
}

/** Machines that compute a run's losses: what `joinCluster` gives. */
export interface Cluster {
  /** Among how many pieces of rows a batch is divided: each has as many as the next, as with a `microBatchSize` of that many rows. */
  readonly shards: number;
  /**
   * Goes on with a run there: `go` is called with the run as far as the cluster or this process has it, and with settings by which it asks
   * the cluster for losses and tells it of its steps. Throws a KitError for a run whose steps are not made of losses on both sides of theta.
   */
  carryOn(at: CarriedRun, go: (past: UnfinishedRun, at: CarriedRun) => Promise<Run>): Promise<Run>;
}

/** A run that goes on, and what it is made of. */
export interface CarriedRun {
  /** As far as it has come. */
  readonly past: UnfinishedRun;
  readonly task: Task;
  readonly tuner: Tuner;
  readonly settings: TuneSettings;
}

/** The options with what was left out. */
export type TuneSettings = TuneOptions &
  Required<Pick<TuneOptions, "batchSize" | "evaluateEvery" | "chooseBy" | "seed" | "begin">> & {
    /** Makes the objective of a step's batch, where the model itself does not. */
    readonly objectiveOf?: (batch: LabelledBatch, step: number) => Objective;
  };

/** How the authors look at their runs: five times, for the lowest loss, or ten times, for the highest score. */
const LOOKS: Readonly<Record<LanguageModel["prompts"], { readonly times: number; readonly chooseBy: ChooseBy }>> = {
  autoregressive: { times: 5, chooseBy: "loss" },
  masked: { times: 10, chooseBy: "score" },
};

/** The options with what was left out, for a kind of model. Throws a KitError for unknown keys and impossible values. */
export function tuneSettings(options: TuneOptions, prompts: LanguageModel["prompts"]): TuneSettings {
  const looks = LOOKS[prompts];
  const { steps, batchSize = 16, evaluateEvery = Math.ceil(steps / looks.times), seed = 0, begin = "mezo" } = options;
  const { chooseBy = looks.chooseBy } = options;
  checkOptions("tune", withoutKnown(options), KNOWN);
  checkBegin(begin);
  checkChooseBy(chooseBy);
  checkWhole({ steps, batchSize, evaluateEvery, microBatchSize: options.microBatchSize ?? batchSize });
  if (options.resume && options.from)
    throw new KitError("tune was given a run to resume and one to begin from: give one of them.");
  const { shards = 1 } = options.cluster ?? {};
  const microBatchSize = options.microBatchSize ?? (shards > 1 ? Math.ceil(batchSize / shards) : undefined);
  const split = microBatchSize !== undefined && { microBatchSize };
  return { ...options, ...split, steps, batchSize, evaluateEvery, chooseBy, seed, begin };
}

const KNOWN: readonly (keyof TuneOptions)[] = [
  ...(["steps", "batchSize", "microBatchSize", "evaluateEvery", "chooseBy", "seed", "begin"] as const),
  ...([
    "adapter",
    "maximize",
    "checkpointing",
    "keepWeights",
    "keepBest",
    "onAdapted",
    "method",
    "resume",
    "from",
    "onProgress",
    "record",
    "cluster",
  ] as const),
];

function withoutKnown(options: TuneOptions): object {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !(KNOWN as readonly string[]).includes(name)));
}

function checkChooseBy(by: ChooseBy): void {
  if (by !== "loss" && by !== "score")
    throw new KitError(`tune was to choose its best step by the dev "${by}": choose by "loss" or by "score".`);
}

function checkWhole(numbers: Readonly<Record<string, number>>): void {
  const bad = Object.entries(numbers).find(([, value]) => !(Number.isInteger(value) && value >= 1));
  if (bad) throw new KitError(`tune needs a whole number from 1 on for ${bad[0]}, not ${bad[1]}.`);
}
