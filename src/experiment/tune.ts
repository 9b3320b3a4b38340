import type { LanguageModel } from "../models/model.ts";
import type { Task } from "../tasks/task.ts";
import type { Progress } from "../tensor/progress.ts";
import type { Tuner } from "../tuners/tuner.ts";
import { batches } from "./batches.ts";
import { type Begin, encodeBatch } from "./encode.ts";
import { runHeader } from "./header.ts";
import { classificationLoss } from "./losses.ts";
import { peakBytes, resetPeak } from "./memory.ts";
import type { Method, Run, RunHeader, Score, StepRecord } from "./run.ts";
import { scoreOn } from "./score.ts";

/** Settings of a training run; the paper's for OPT are 20,000 steps of 16 examples, looked at every 4,000 (Table 16). */
export interface TuneOptions {
  readonly steps: number;
  readonly batchSize?: number;
  readonly evaluateEvery?: number;
  readonly seed?: number;
  readonly begin?: Begin;
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
 * Tunes the model on the task's training part, in place. The dev part is scored every `evaluateEvery` steps, and whenever its loss
 * is the lowest yet (the authors' choice of checkpoint) the test part too: so the last test score is that of the best weights, and
 * no second copy of them is ever kept. `model.restore()` brings the base weights back.
 */
export async function tune(model: LanguageModel, task: Task, tuner: Tuner, options: TuneOptions): Promise<Run> {
  const {
    steps: total,
    batchSize = 16,
    evaluateEvery = Math.ceil(total / 5),
    seed = 0,
    begin = "mezo",
    onProgress = () => {},
    record = SILENT,
  } = options;
  resetPeak();
  const started = performance.now();
  const header = runHeader({ model, task, seed }, tuner.name as Method, {
    ...tuner.options,
    steps: total,
    batchSize,
    evaluateEvery,
    begin,
  });
  record.start(header);
  const batchAt = batches(encodeBatch(model, task.train, begin), batchSize, seed);
  const [dev, test] = [task.dev, task.test].map((part) => encodeBatch(model, part, begin));
  const steps: StepRecord[] = [];
  const scores: Score[] = [];
  const keep = (score: Score): void => {
    scores.push(score);
    record.score(score);
  };

  for (let step = 0; step < total; step++) {
    const batch = batchAt(step);
    const result = await tuner.step(model.parameters, () => classificationLoss(model, batch), { seed, step, total });
    steps.push({ step, ...result });
    record.step(steps.at(-1)!);
    onProgress({ label: tuner.name, done: step + 1, total, note: noteOf(steps, scores) });
    if ((step + 1) % evaluateEvery !== 0 && step + 1 !== total) continue;
    const score = scoreOn(model, dev!, { on: "dev", step: step + 1 });
    const best = scores.every(({ on, loss }) => on !== "dev" || score.loss < loss!);
    keep(score);
    if (best) keep(scoreOn(model, test!, { on: "test", step: step + 1 }));
  }
  return {
    header,
    steps,
    scores,
    cost: { seconds: (performance.now() - started) / 1e3, steps: total, peakBytes: peakBytes() },
  };
}

/** "loss 0.61, dev 68.2 %": the loss around the current weights, mean of the last steps. */
function noteOf(steps: readonly StepRecord[], scores: readonly Score[]): string {
  const last = steps.slice(-50);
  const loss = last.reduce((sum, { lossPlus, lossMinus }) => sum + (lossPlus + lossMinus) / 2, 0) / last.length;
  const dev = scores.findLast(({ on }) => on === "dev");
  return `loss ${loss.toFixed(3)}${dev ? `, dev ${(100 * dev.accuracy).toFixed(1)} %` : ""}`;
}
