import { setImmediate } from "node:timers/promises";
import { KitError } from "../error.ts";
import type { LanguageModel } from "../models/model.ts";
import type { Task } from "../tasks/task.ts";
import type { Progress } from "../tensor/progress.ts";
import type { Tuner } from "../tuners/tuner.ts";
import { batches } from "./batches.ts";
import { type Begin, encodeBatch } from "./encode.ts";
import { runHeader } from "./header.ts";
import { classificationLoss, type LabelledBatch } from "./losses.ts";
import { peakBytes, resetPeak } from "./memory.ts";
import type { Run, RunHeader, Score, StepRecord } from "./run.ts";
import { scoreOn } from "./score.ts";

/** Settings of a training run; the paper's for OPT are 20,000 steps of 16 examples, looked at every 4,000 (Table 16). */
export interface TuneOptions {
  readonly steps: number;
  readonly batchSize?: number;
  readonly evaluateEvery?: number;
  readonly seed?: number;
  readonly begin?: Begin;
  /** Leaves the last weights in the model instead of bringing the base weights back. */
  readonly keepWeights?: boolean;
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
 * Tunes the model from its base weights on the task's training part, in place. The dev part is scored every `evaluateEvery` steps,
 * and whenever its loss is the lowest yet (the authors' choice of checkpoint) the test part too: so the last test score is that of
 * the best weights, and no second copy of them is ever kept. Afterwards the base weights are back, unless `keepWeights` says to
 * leave the last ones. Throws a KitError for options that do not fit and where a loss is not finite.
 */
export async function tune(model: LanguageModel, task: Task, tuner: Tuner, options: TuneOptions): Promise<Run> {
  model.restore();
  try {
    return await tuneInPlace(model, task, tuner, options);
  } finally {
    if (!options.keepWeights) model.restore();
  }
}

async function tuneInPlace(model: LanguageModel, task: Task, tuner: Tuner, options: TuneOptions): Promise<Run> {
  const { steps: total, batchSize = 16, evaluateEvery = Math.ceil(total / 5), seed = 0, begin = "mezo" } = options;
  const { onProgress = () => {}, record = SILENT } = options;
  checkWhole({ steps: total, batchSize, evaluateEvery });
  resetPeak();
  const started = performance.now();
  const pinned = { ...tuner.options, steps: total, batchSize, evaluateEvery, begin };
  const header = runHeader({ model, task, seed }, tuner.name, pinned);
  record.start(header);
  const [train, dev, test] = [task.train, task.dev, task.test].map((part) => encodeBatch(model, part, begin));
  const batchAt = batches(train!, batchSize, seed);
  const steps: StepRecord[] = [];
  const scores: Score[] = [];
  const score = (part: LabelledBatch, on: Score["on"]): Required<Score> => {
    const progress = (done: number): void =>
      onProgress({ label: `${tuner.name}: ${on}`, done, total: part.gold.length });
    const result = scoreOn(model, part, { on, step: steps.length }, progress);
    scores.push(result);
    record.score(result);
    return result;
  };

  for (let step = 0; step < total; step++) {
    await setImmediate(); // lets a notebook draw, and an interrupt in
    const batch = batchAt(step);
    const result = await tuner.step(model.parameters, () => classificationLoss(model, batch), { seed, step, total });
    steps.push({ step, ...result });
    record.step(steps.at(-1)!);
    onProgress({ label: tuner.name, done: step + 1, total, note: noteOf(steps, scores) });
    if ((step + 1) % evaluateEvery !== 0 && step + 1 !== total) continue;
    const lowest = Math.min(...scores.filter(({ on }) => on === "dev").map(({ loss }) => loss!));
    if (score(dev!, "dev").loss < lowest) score(test!, "test");
  }
  const cost = { seconds: (performance.now() - started) / 1e3, steps: total, peakBytes: peakBytes() };
  return { header, steps, scores, cost };
}

function checkWhole(numbers: Readonly<Record<string, number>>): void {
  const bad = Object.entries(numbers).find(([, value]) => !(Number.isInteger(value) && value >= 1));
  if (bad) throw new KitError(`tune needs a whole number from 1 on for ${bad[0]}, not ${bad[1]}.`);
}

/** "loss 0.61, dev 68.2 %": the loss around the current weights, mean of the last steps. */
function noteOf(steps: readonly StepRecord[], scores: readonly Score[]): string {
  const last = steps.slice(-50);
  const loss = last.reduce((sum, { lossPlus, lossMinus }) => sum + (lossPlus + lossMinus) / 2, 0) / last.length;
  const dev = scores.findLast(({ on }) => on === "dev");
  return `loss ${loss.toFixed(3)}${dev ? `, dev ${(100 * dev.accuracy).toFixed(1)} %` : ""}`;
}
