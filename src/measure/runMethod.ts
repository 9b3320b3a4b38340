import type { Adapter } from "../adapters/adapter.ts";
import { headTuning } from "../adapters/head.ts";
import { lora } from "../adapters/lora.ts";
import { prefix } from "../adapters/prefix.ts";
import { evaluate, evaluateMajority } from "../experiment/evaluate.ts";
import { probe } from "../experiment/probe.ts";
import { tune } from "../experiment/tune.ts";
import type { Cluster } from "../experiment/tuneOptions.ts";
import { sharedPrompts } from "../loss/candidates.ts";
import { encodeBatch } from "../loss/encode.ts";
import { accuracy, exactMatch, f1, type Measure } from "../loss/score.ts";
import type { LanguageModel } from "../models/network.ts";
import { isFinished } from "../record/diff.ts";
import type { Run, RunRecorder, UnfinishedRun } from "../record/run.ts";
import type { Task } from "../tasks/task.ts";
import { gaussian, rademacher } from "../tensor/parameter.ts";
import type { Progress } from "../tensor/progress.ts";
import { adam } from "../tuners/adam.ts";
import { mezo } from "../tuners/mezo.ts";
import type { Tuner } from "../tuners/tuner.ts";
import type { ZerothOptions } from "../tuners/zeroth.ts";
import { type MethodGrid, type PaperGrid, paperGrid } from "./paper.ts";
import { type Maximized, type MeasureRequest, valueFor } from "./request.ts";

/** What can be made large in place of the loss, by its name on command lines. */
export const measures: Readonly<Record<Maximized, Measure>> = { accuracy, f1, "exact-match": exactMatch };

/** What a request says of adapters. */
export type AdapterSettings = Pick<
  MeasureRequest,
  "rank" | "alpha" | "targets" | "rslora" | "prefixLength" | "prefixInit"
>;

/** LoRA with what is said of it; the rest as the paper has it. */
export const requestedLora = ({ rank, alpha, targets, rslora }: AdapterSettings): Adapter =>
  lora({
    ...(rank !== undefined && { rank }),
    ...(alpha !== undefined && { alpha }),
    ...(targets !== undefined && { targets }),
    ...(rslora && { rslora }),
  });

/** A prefix with what is said of it; the rest as the paper has it. */
export const requestedPrefix = ({ prefixLength: length, prefixInit: init }: AdapterSettings): Adapter =>
  prefix({ ...(length !== undefined && { length }), ...(init && { init }) });

/** What a run of a training method is made with; eps is MeZO's alone. */
export interface Settings {
  readonly lr: number;
  readonly eps: number;
  readonly steps: number;
  readonly batchSize: number;
}

/** A way to train, of which the paper compares two. */
export interface Trainer {
  /** The tuner with the settings. Throws a KitError for settings that it cannot take. */
  readonly tuner: (settings: Settings, request: MeasureRequest) => Tuner;
  /** Whether it needs a gradient, which a measure that is made large has not. */
  readonly isByGradient: boolean;
  /** The settings out of the paper's grid of a method: the default for models that do not ship with the kit. */
  readonly fromGrid: (own: MethodGrid, family: PaperGrid) => Settings;
}

/** Backpropagation with Adam: the first rate of the grid, and the only batch size that all of FT's grids have, Table 16's. */
export const backpropagation: Trainer = {
  isByGradient: true,
  tuner: ({ lr }, { weightDecay }) => adam({ lr, weightDecay }),
  fromGrid: ({ lr }, family) => ({
    ...{ lr: lr[0]!, eps: 0 },
    ...{ steps: family.FT!.steps!, batchSize: paperGrid("OPT").FT!.batchSize[0]! },
  }),
};

/** MeZO: the middle rate of the grid, the first of two. */
export const zerothOrder: Trainer = {
  isByGradient: false,
  tuner: (settings, request) => mezo(zerothSettings(settings, request)),
  fromGrid: ({ lr, eps, steps, batchSize }) => ({
    ...{ lr: lr[Math.floor((lr.length - 1) / 2)]!, eps: eps![0]! },
    ...{ steps: steps!, batchSize: batchSize[0]! },
  }),
};

/** What a zeroth-order tuner is made with. */
export const zerothSettings = (
  { lr, eps }: Settings,
  { weightDecay, schedule, noise }: MeasureRequest,
): ZerothOptions => ({ lr, eps, weightDecay, schedule, noise: { gaussian, rademacher }[noise] });

/** A training method as far as its settings go. */
export interface Trains {
  /** As the paper's tables print it. */
  readonly name: string;
  readonly trainer: Trainer;
  /** For the models that ship with the kit, by id: small models take larger steps, and few steps fit a laptop. */
  readonly bundled: Readonly<Record<string, Settings>>;
}

type Kind = Pick<LanguageModel, "id" | "prompts">;

/** The settings of a method for a model where nothing is said: for those that ship with the kit their own, for others out of the paper's grids (Tables 15 and 16). */
export function defaultSettings({ id, prompts }: Kind, { name, trainer, bundled }: Trains): Settings {
  const roberta = paperGrid("RoBERTa");
  const family = prompts === "masked" ? roberta : paperGrid("OPT");
  return bundled[id] ?? trainer.fromGrid(family[name] ?? roberta[name] ?? family.MeZO!, family); // Table 16 lacks FT's adapters
}

/** The settings of a method for a model: what the request says, else the defaults. */
export function chooseSettings(request: MeasureRequest, model: Kind, method: Trains): Settings {
  const { lr, eps, steps, batchSize } = defaultSettings(model, method);
  return {
    lr: valueFor(request.lr, method.name) ?? lr,
    eps: valueFor(request.eps, method.name) ?? eps,
    steps: valueFor(request.steps, method.name) ?? steps,
    batchSize: valueFor(request.batchSize, method.name) ?? batchSize,
  };
}

/** All that a method needs to run once. */
export interface Setup {
  readonly model: () => Promise<LanguageModel>;
  readonly task: Task;
  readonly seed: number;
  readonly request: MeasureRequest;
  readonly onProgress: Progress;
  readonly record: RunRecorder;
  /** A run of this very kind that was cut short, or finished. */
  readonly resume?: UnfinishedRun;
  /** Keeps the best weights of a run whose steps no file tells, so that `bestModel` has them. */
  readonly keepBest?: boolean;
  /** Machines that compute the steps' losses. */
  readonly cluster?: Cluster;
}

/** Scores the most frequent label of the training part, without a model. */
export function runMajority({ task, seed, resume }: Setup): Run {
  const run = evaluateMajority(task, seed);
  return isFinished(resume, run.header) ? resume : run;
}

/** Scores the model as it is, with so many demonstrations in each prompt; calibrated by the prompt without content, or not. */
export async function runShots(setup: Setup, shots: number, calibrate = false): Promise<Run> {
  const { model, task, seed, request, onProgress, resume } = setup;
  const { begin, demonstrations: draw } = request;
  return evaluate(await model(), task, { shots, draw, calibrate, seed, begin, onProgress, ...(resume && { resume }) });
}

/** Head tuning's settings (Appendix E.4): Adam, 5 epochs of 8 examples. */
const HEAD_TUNING = { lr: 1e-4, batchSize: 8, epochs: 5 };

/** Linear probing (Table 1's LP): logistic regression where the answers are single tokens, head tuning where they are texts. */
export async function runProbe(setup: Setup): Promise<Run> {
  const { task, seed, request, onProgress, record, resume } = setup;
  const model = await setup.model();
  const { begin } = request;
  if (task.loss === "candidates" && sharedPrompts(encodeBatch(model, task.train, begin).examples))
    return probe(model, task, { seed, begin, onProgress, ...(resume && { resume }) });
  const { lr, epochs } = HEAD_TUNING;
  const batchSize = valueFor(request.batchSize, "LP") ?? HEAD_TUNING.batchSize;
  const steps = valueFor(request.steps, "LP") ?? epochs * Math.ceil(task.train.length / batchSize);
  const past = { record, ...(resume && { resume }), ...(setup.keepBest && { keepBest: true }) };
  const settings = { steps, batchSize, seed, begin, method: "LP", adapter: headTuning(), onProgress, ...past };
  return tune(model, task, adam({ lr: valueFor(request.lr, "LP") ?? lr }), settings);
}

/** Trains all weights, or an adapter's. */
export async function runTraining(setup: Setup, method: Trains, adapter?: Adapter): Promise<Run> {
  const { task, seed, request, onProgress, record, resume } = setup;
  const model = await setup.model();
  const settings = chooseSettings(request, model, method);
  const { steps, batchSize } = settings;
  const { begin, checkpointing, chooseBy, microBatchSize, evaluateEvery, maximize } = request;
  return tune(model, task, method.trainer.tuner(settings, request), {
    ...{ steps, batchSize, seed, begin, checkpointing, onProgress, record },
    ...(microBatchSize !== undefined && { microBatchSize }),
    ...(evaluateEvery !== undefined && { evaluateEvery }),
    ...(maximize && { maximize: measures[maximize] }),
    ...(adapter && { adapter }),
    ...(chooseBy && { chooseBy }),
    ...(resume && { resume }),
    ...(setup.cluster && { cluster: setup.cluster }),
    ...(setup.keepBest && method.trainer === backpropagation && { keepBest: true }),
  });
}
