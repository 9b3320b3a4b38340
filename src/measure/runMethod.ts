import type { Adapter } from "../adapters/adapter.ts";
import { headTuning } from "../adapters/head.ts";
import { evaluate, evaluateMajority } from "../experiment/evaluate.ts";
import { probe } from "../experiment/probe.ts";
import { tune } from "../experiment/tune.ts";
import { sharedPrompts } from "../loss/candidates.ts";
import { encodeBatch } from "../loss/encode.ts";
import type { LanguageModel } from "../models/network.ts";
import { isFinished } from "../record/diff.ts";
import type { Run, RunRecorder, UnfinishedRun } from "../record/run.ts";
import type { Task } from "../tasks/task.ts";
import type { Progress } from "../tensor/progress.ts";
import { adam } from "../tuners/adam.ts";
import { type MeasureRequest, valueFor } from "./request.ts";
import { chooseSettings, type Trains } from "./settings.ts";

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
}

/** Scores the most frequent label of the training part, without a model. */
export function runMajority({ task, seed, resume }: Setup): Run {
  const run = evaluateMajority(task, seed);
  return isFinished(resume, run.header) ? resume : run;
}

/** Scores the model as it is, with so many demonstrations in each prompt. */
export async function runShots(setup: Setup, shots: number): Promise<Run> {
  const { model, task, seed, request, onProgress, resume } = setup;
  const { begin, demonstrations: draw } = request;
  return evaluate(await model(), task, { shots, draw, seed, begin, onProgress, ...(resume && { resume }) });
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
  const past = { record, ...(resume && { resume }) };
  const settings = { steps, batchSize, seed, begin, method: "LP", adapter: headTuning(), onProgress, ...past };
  return tune(model, task, adam({ lr: valueFor(request.lr, "LP") ?? lr }), settings);
}

/** Trains all weights, or an adapter's. */
export async function runTraining(setup: Setup, method: Trains, adapter?: Adapter): Promise<Run> {
  const { task, seed, request, onProgress, record, resume } = setup;
  const model = await setup.model();
  const settings = chooseSettings(request, model, method);
  const { steps, batchSize } = settings;
  const { begin, checkpointing, chooseBy } = request;
  return tune(model, task, method.trainer.tuner(settings, request), {
    ...{ steps, batchSize, seed, begin, checkpointing, onProgress, record },
    ...(adapter && { adapter }),
    ...(chooseBy && { chooseBy }),
    ...(resume && { resume }),
  });
}
