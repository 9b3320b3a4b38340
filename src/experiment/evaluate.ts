import { checkOptions, KitError } from "../error.ts";
import { calibratedScorer, checkCalibration } from "../loss/calibrate.ts";
import { type Begin, checkBegin, encodeExample } from "../loss/encode.ts";
import { scorerFor } from "../loss/score.ts";
import type { LanguageModel } from "../models/network.ts";
import { isFinished } from "../record/diff.ts";
import type { Run, UnfinishedRun } from "../record/run.ts";
import { scoreMajority } from "../tasks/score.ts";
import { drawDemonstrationSeeds, drawDemonstrations } from "../tasks/split.ts";
import type { Task } from "../tasks/task.ts";
import type { Progress } from "../tensor/progress.ts";
import { checkFinite } from "./checkFinite.ts";
import { findLongest, measureCost, predictBytes, resetPeak, scoringPlan } from "./cost.ts";
import { runHeader } from "./header.ts";

/** Settings of an evaluation without training. */
export interface EvaluateOptions {
  /** Demonstrations before each example: 0 is zero-shot, the paper's ICL has 32. */
  readonly shots?: number;
  /** Whether each example gets demonstrations of its own, as in the authors' code, or all get the same. */
  readonly draw?: "fresh" | "fixed";
  /** Whether an option's score is how much the example adds to its log-probability, as the authors' options sfc and icl_sfc have it. */
  readonly calibrate?: boolean;
  readonly seed?: number;
  readonly begin?: Begin;
  /** A finished run: it is returned unchanged where it has these very settings, and ignored where it has not. */
  readonly resume?: UnfinishedRun;
  readonly onProgress?: Progress;
}

/**
 * Scores the model, without training, on the task's test part: zero-shot, or in context with demonstrations from the training rows
 * (Table 1, "Zero-shot" and "ICL"), calibrated or not. With seed 0 the demonstrations are the authors' own, where the task and its file are. Throws a
 * KitError where a masked model is to learn in context, which the paper does not do, and where scores cannot be calibrated.
 */
export async function evaluate(model: LanguageModel, task: Task, options: EvaluateOptions = {}): Promise<Run> {
  const { shots = 0, draw = "fresh", calibrate = false, seed = 0, begin = "mezo", ...rest } = options;
  const { resume, onProgress = () => {}, ...unknown } = rest;
  checkOptions("evaluate", unknown, ["shots", "draw", "calibrate", "seed", "begin", "resume", "onProgress"]);
  checkBegin(begin);
  if (calibrate) checkCalibration(model, task);
  if (!(Number.isInteger(shots) && shots >= 0))
    throw new KitError(`evaluate needs a whole number of shots from 0 on, not ${shots}.`);
  if (shots > 0 && model.prompts === "masked")
    throw new KitError(
      `${model.id} fills masks, and the paper learns from demonstrations with autoregressive models only: choose one, or shots 0 instead of ${shots}.`,
    );
  const method = `${shots === 0 ? "Zero-shot" : "ICL"}${calibrate ? " (calibrated)" : ""}`;
  const { pool = task.train } = task;
  const drawn = { shots: Math.min(shots, pool.length), ...(shots > 0 && { draw, pool: pool.length }) };
  const pinned = { ...drawn, ...(calibrate && { calibrate }), begin };
  const header = runHeader({ model, task, seed }, method, pinned);
  if (isFinished(resume, header)) return resume;
  resetPeak();
  const started = performance.now();
  const total = task.test.length;
  const seeds = draw === "fresh" ? drawDemonstrationSeeds(total, seed) : [];
  const shown = (index: number): readonly string[] =>
    shots === 0 ? [] : drawDemonstrations(pool, { shots, seed: seeds[index] ?? seed });
  const examples = task.test.map((example, index) => {
    onProgress({ label: method, part: "prompts", done: index + 1, total });
    return encodeExample(model, example, begin, shown(index));
  });
  const part = { examples, gold: task.test.map(({ gold }) => gold), texts: task.test, begin, demonstrations: shown };
  const scorer = (calibrate ? calibratedScorer : scorerFor)(model, task, begin);
  const score = await scorer({ ...part, on: "test", step: 0 }, (done) => onProgress({ label: method, done, total }));
  await checkFinite(model, [score.loss]);
  const cost = measureCost(started, 0, [predictBytes(scoringPlan(model, findLongest(examples)))]);
  return { header, steps: [], scores: [score], cost };
}

/** The baseline of every method: always the most frequent label of the training part. */
export function evaluateMajority(task: Task, seed = 0): Run {
  const { label, accuracy, standardError, n, rows } = scoreMajority(task);
  return {
    header: runHeader({ task, seed }, "Majority", { label }),
    steps: [],
    scores: [{ on: "test", step: 0, score: accuracy, standardError, n, rows }],
    cost: { seconds: 0, steps: 0, peakBytes: 0 },
  };
}
