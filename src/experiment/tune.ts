import { setImmediate } from "node:timers/promises";
import type { Adapted, Adapter } from "../adapters/adapter.ts";
import { checkOptions, KitError } from "../error.ts";
import type { LanguageModel } from "../models/model.ts";
import type { Task } from "../tasks/task.ts";
import { canPair } from "../tensor/pair.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Progress } from "../tensor/progress.ts";
import type { Resident, Training, Tuner } from "../tuners/tuner.ts";
import { batches } from "./batches.ts";
import { costOf, longest } from "./cost.ts";
import { type Begin, checkBegin, encodeBatch, type LabelledBatch } from "./encode.ts";
import { runHeader } from "./header.ts";
import type { Measure } from "./measures.ts";
import { resetPeak } from "./memory.ts";
import { NOTHING, type Passes, type PredictedBytes, predictBytes } from "./memoryPlan.ts";
import { type ObjectiveOptions, objectiveFor } from "./objective.ts";
import type { Run, RunHeader, Score, StepRecord } from "./run.ts";
import { scorerFor } from "./scorer.ts";

/** Settings of a training run; the paper's for OPT are 20,000 steps of 16 examples, looked at every 4,000 (Table 16). */
export interface TuneOptions {
  readonly steps: number;
  readonly batchSize?: number;
  /** Examples that are run at once, the batch's loss being the mean over such pieces under one z; without it the whole batch. */
  readonly microBatchSize?: number;
  readonly evaluateEvery?: number;
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
  /** Given the trained adapter, which the run frees afterwards, for example to save it. */
  readonly onAdapted?: (adapted: Adapted) => void | Promise<void>;
  /** The method's name where it is not the tuner's with the adapter's. */
  readonly method?: string;
  readonly onProgress?: Progress;
  /** Told of each piece of the run as it is made, so that it can be written down at once. */
  readonly record?: RunRecorder;
}

/** What listens to a run while it happens. */
export interface RunRecorder {
  start(header: RunHeader): void;
  step(step: StepRecord): void;
  score(score: Score): void;
}

const SILENT: RunRecorder = { start: () => {}, step: () => {}, score: () => {} };

/**
 * Tunes the model from its base weights on the task's training part, in place, or an adapter beside them. The dev part is scored
 * every `evaluateEvery` steps, and whenever its loss is the lowest yet (the authors' choice of checkpoint) the test part too: so the
 * last test score is that of the best weights, and no second copy of them is ever kept. Afterwards the base weights are back,
 * unless `keepWeights` says to leave the last ones. Throws a KitError for options that do not fit and where a loss is not finite.
 */
export async function tune(model: LanguageModel, task: Task, tuner: Tuner, options: TuneOptions): Promise<Run> {
  const { steps, batchSize = 16, evaluateEvery = Math.ceil(steps / 5), seed = 0, adapter } = options;
  checkOptions("tune", withoutKnown(options), KNOWN);
  checkBegin(options.begin ?? "mezo");
  checkWhole({ steps, batchSize, evaluateEvery, microBatchSize: options.microBatchSize ?? batchSize });
  model.restore();
  resetPeak();
  const adapted = adapter?.begin(model, { seed, vocabulary: model.tokenizer.size });
  const theta = adapted?.parameters ?? model.parameters;
  let training: Training | undefined;
  try {
    training = tuner.begin(theta);
    const settings = { ...options, steps, batchSize, evaluateEvery, seed, begin: options.begin ?? "mezo" };
    const network = adapted ? adaptedModel(model, adapted) : model;
    const run = await trained({ model: network, theta, task, tuner, training }, settings);
    if (adapted) await options.onAdapted?.(adapted);
    return run;
  } finally {
    training?.dispose();
    adapted?.dispose();
    if (!options.keepWeights && !adapted) model.restore();
  }
}

/** The model with an adapter beside its weights. */
export function adaptedModel(model: LanguageModel, { adaptation, head }: Adapted): LanguageModel {
  return { ...model, adaptation, ...(head && { head }) };
}

interface Subject {
  readonly model: LanguageModel;
  readonly theta: readonly Parameter[];
  readonly task: Task;
  readonly tuner: Tuner;
  readonly training: Training;
}

type Settings = TuneOptions & Required<Pick<TuneOptions, "batchSize" | "evaluateEvery" | "seed" | "begin">>;

async function trained(subject: Subject, settings: Settings): Promise<Run> {
  const { model, task, tuner, training } = subject;
  const { steps: total, evaluateEvery, seed, onProgress = () => {}, record = SILENT } = settings;
  const started = performance.now();
  const header = runHeader({ model, task, seed }, methodOf(tuner, settings), pinned(tuner, settings));
  record.start(header);
  const [train, dev, test] = [task.train, task.dev, task.test].map((part) => encodeBatch(model, part, settings.begin));
  const batchAt = batches(train!, settings.batchSize, seed);
  const objectiveOf = objectiveFor(model, task, objectiveOptions(settings));
  const scoreOn = scorerFor(model, task, settings.begin);
  const steps: StepRecord[] = [];
  const scores: Score[] = [];
  const score = async (part: LabelledBatch, on: Score["on"]): Promise<number> => {
    const all = part.gold.length;
    const label = `${header.method}: ${on}`;
    const result = await scoreOn({ ...part, on, step: steps.length }, (done) =>
      onProgress({ label, done, total: all }),
    );
    scores.push(result);
    record.score(result);
    return result.loss;
  };

  for (let step = 0; step < total; step++) {
    await setImmediate(); // lets a notebook draw, and an interrupt in
    const result = await training.step(objectiveOf(batchAt(step)), { seed, step, total });
    steps.push({ step, ...result });
    record.step(steps.at(-1)!);
    onProgress({ label: header.method, done: step + 1, total, note: noteOf(steps, scores) });
    if ((step + 1) % evaluateEvery !== 0 && step + 1 !== total) continue;
    const lowest = Math.min(...scores.filter(({ on }) => on === "dev").map(({ loss }) => loss!));
    if ((await score(dev!, "dev")) < lowest) await score(test!, "test");
  }
  const cost = costOf(started, total, predictions(subject, settings, [train!, dev!, test!]));
  return { header, steps, scores, cost };
}

/** The memory of the widest pass of training, and of scoring. */
function predictions(
  { model, theta, tuner }: Subject,
  settings: Settings,
  parts: readonly LabelledBatch[],
): PredictedBytes[] {
  const { resident = NOTHING } = tuner;
  const [train, ...scored] = parts.map(({ examples }) => examples);
  const lengths = longest(train!, settings.microBatchSize ?? settings.batchSize);
  const network = model;
  const kept = { ...resident, gradients: 0 };
  return [
    predictBytes({ network, theta, passes: passesOf(resident, settings), lengths, resident }),
    ...scored.map((part) =>
      predictBytes({ network, theta, passes: "forward", lengths: longest(part), resident: kept }),
    ),
  ];
}

function passesOf({ gradients }: Resident, { checkpointing, maximize }: Settings): Passes {
  if (gradients > 0) return checkpointing ? "checkpointed" : "backward";
  return maximize || !canPair() ? "forward" : "pair";
}

/** "MeZO", "FT (LoRA)", "MeZO (prefix)": the tuner and the adapter, as Table 18 prints them. */
function methodOf(tuner: Tuner, { method, adapter }: Settings): string {
  return method ?? (adapter ? `${tuner.name} (${adapter.name})` : tuner.name);
}

function objectiveOptions({ microBatchSize, maximize, checkpointing }: Settings): ObjectiveOptions {
  return {
    ...(microBatchSize !== undefined && { microBatchSize }),
    ...(maximize && { maximize }),
    ...(checkpointing !== undefined && { checkpointing }),
  };
}

/** All settings that the result depends on. */
function pinned(tuner: Tuner, settings: Settings): RunHeader["options"] {
  const { adapter, steps, batchSize, evaluateEvery, begin, microBatchSize, maximize, checkpointing } = settings;
  const named = Object.entries(adapter?.options ?? {}).map(([name, value]) => [`${adapter!.name}.${name}`, value]);
  return {
    ...tuner.options,
    ...Object.fromEntries(named),
    ...{ steps, batchSize, evaluateEvery, begin },
    ...(microBatchSize !== undefined && { microBatchSize }),
    ...(maximize && { maximize: maximize.name }),
    ...(checkpointing && { checkpointing }),
  };
}

const KNOWN: readonly (keyof TuneOptions)[] = [
  ...(["steps", "batchSize", "microBatchSize", "evaluateEvery", "seed", "begin", "adapter", "maximize"] as const),
  ...(["checkpointing", "keepWeights", "onAdapted", "method", "onProgress", "record"] as const),
];

function withoutKnown(options: TuneOptions): object {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !(KNOWN as readonly string[]).includes(name)));
}

function checkWhole(numbers: Readonly<Record<string, number>>): void {
  const bad = Object.entries(numbers).find(([, value]) => !(Number.isInteger(value) && value >= 1));
  if (bad) throw new KitError(`tune needs a whole number from 1 on for ${bad[0]}, not ${bad[1]}.`);
}

/** "loss 0.61, dev 68.2 %": the loss around the current weights, mean of the last steps. */
function noteOf(steps: readonly StepRecord[], scores: readonly Score[]): string {
  const last = steps.slice(-50);
  const loss = last.reduce((sum, step) => sum + step.loss, 0) / last.length;
  const dev = scores.findLast(({ on }) => on === "dev");
  return `loss ${loss.toFixed(3)}${dev ? `, dev ${(100 * dev.score).toFixed(1)} %` : ""}`;
}
