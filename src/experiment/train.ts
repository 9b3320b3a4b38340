import { setImmediate } from "node:timers/promises";
import { batches, encodeBatch, type LabelledBatch } from "../loss/encode.ts";
import { type ObjectiveOptions, objectiveFor } from "../loss/objective.ts";
import { scorerFor } from "../loss/score.ts";
import type { LanguageModel } from "../models/network.ts";
import { hashTheta, recordLosses } from "../record/observe.ts";
import type { PredictedBytes, Run, RunRecorder, Score, StepRecord, UnfinishedRun } from "../record/run.ts";
import { isBest, stepsTaken } from "../record/steps.ts";
import type { Task } from "../tasks/task.ts";
import { canPair } from "../tensor/pair.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { ProgressEvent } from "../tensor/progress.ts";
import type { Resident, Training, Tuner } from "../tuners/tuner.ts";
import { costOf, longest, NOTHING, type Passes, predictBytes } from "./cost.ts";
import type { TuneSettings } from "./tuneOptions.ts";

/** What is scored: the model as its weights are, and the tuned ones among them. */
export interface Scored {
  readonly model: LanguageModel;
  readonly theta: readonly Parameter[];
  readonly task: Task;
}

/** What is trained, on what and how. */
export interface Subject extends Scored {
  readonly tuner: Tuner;
  readonly training: Training;
}

/** When the dev part is scored, and what makes a score the best yet. */
export type Looks = Pick<TuneSettings, "steps" | "evaluateEvery" | "chooseBy" | "begin" | "onProgress">;

const SILENT: RunRecorder = { start: () => {}, step: () => {}, score: () => {} };

/** The three parts of the data, encoded. */
export type Parts = Readonly<Record<"train" | Score["on"], LabelledBatch>>;

/** Takes the steps that a run lacks, from the weights as its past left them, and scores them when due. */
export async function trained(subject: Subject, past: UnfinishedRun, settings: TuneSettings): Promise<Run> {
  const { model, task, training } = subject;
  const { steps: total, seed, onProgress = () => {}, record = SILENT } = settings;
  const started = performance.now();
  const { header, before } = past;
  if (!settings.resume) record.start(header, before);
  const parts = encoded(model, task, settings);
  const batchAt = batches(parts.train, settings.batchSize, seed);
  const objectiveOf = objectiveFor(model, task, objectiveOptions(settings));
  const steps: StepRecord[] = [...past.steps];
  const scores: Score[] = [...past.scores];
  const score = scoring(subject, parts, { looks: settings, label: header.method });
  const recent: number[] = [];

  for (let step = stepsTaken(past); ; step++) {
    if (isDue(step, settings))
      for await (const found of score(step, scores)) {
        scores.push(found);
        record.score(found);
      }
    if (step === total) break;
    await setImmediate(); // lets a notebook draw, and an interrupt in
    const { objective, losses } = recordLosses(objectiveOf(batchAt(step)));
    const { loss, projectedGrad } = await training.step(objective, { seed, step, total });
    steps.push({ step, losses, ...(projectedGrad !== undefined && { projectedGrad }) });
    record.step(steps.at(-1)!);
    recent.push(loss);
    onProgress({ label: header.method, done: step + 1, total, ...standing(recent, scores) });
  }
  const cost = costOf(started, total, predictions(subject, settings, parts));
  return { header, steps, scores, cost, ...(before && { before }) };
}

/** The three parts of a task for a model. */
export function encoded(model: LanguageModel, { train, dev, test }: Task, { begin }: Pick<Looks, "begin">): Parts {
  const of = (part: Task["train"]): LabelledBatch => encodeBatch(model, part, begin);
  return { train: of(train), dev: of(dev), test: of(test) };
}

/** Whether the dev part is scored after a number of steps. */
export const isDue = (step: number, { steps, evaluateEvery }: Looks): boolean =>
  step > 0 && (step % evaluateEvery === 0 || step === steps);

/** Scores the dev part after a step, and the test part where that is the best yet; what `scores` has already is left out. */
export function scoring(
  { model, theta, task }: Scored,
  parts: Parts,
  { looks, label }: { readonly looks: Looks; readonly label: string },
): (step: number, scores: readonly Score[]) => AsyncGenerator<Score> {
  const { begin, chooseBy, onProgress = () => {} } = looks;
  const scoreOn = scorerFor(model, task, begin);
  return async function* (step, scores) {
    const earlier = scores.filter((score) => score.on === "dev" && score.step < step);
    const known = (on: Score["on"]): Score | undefined =>
      scores.find((score) => score.on === on && score.step === step);
    const hash = hashTheta(theta);
    const scored = async (on: Score["on"]): Promise<Score> => {
      const shown = (done: number): void => onProgress({ label, part: on, done, total: parts[on].gold.length });
      return { ...(await scoreOn({ ...parts[on], on, step }, shown)), ...(hash !== undefined && { theta: hash }) };
    };
    const dev = known("dev") ?? (await scored("dev"));
    if (!known("dev")) yield dev;
    if (isBest(dev, earlier, chooseBy) && !known("test")) yield await scored("test");
  };
}

/** The memory of the widest pass of training, and of scoring. */
function predictions(
  { model, theta, tuner }: Subject,
  settings: TuneSettings,
  { train, ...scored }: Parts,
): PredictedBytes[] {
  const { resident = NOTHING } = tuner;
  const lengths = longest(train.examples, settings.microBatchSize ?? settings.batchSize);
  const kept = { ...resident, gradients: 0 };
  return [
    predictBytes({ network: model, theta, passes: passesOf(resident, settings), lengths, resident }),
    ...Object.values(scored).map(({ examples }) =>
      predictBytes({ network: model, theta, passes: "forward", lengths: longest(examples), resident: kept }),
    ),
  ];
}

function passesOf({ gradients }: Resident, { checkpointing, maximize }: TuneSettings): Passes {
  if (gradients > 0) return checkpointing ? "checkpointed" : "backward";
  return maximize || !canPair() ? "forward" : "pair";
}

function objectiveOptions({ microBatchSize, maximize, checkpointing }: TuneSettings): ObjectiveOptions {
  return {
    ...(microBatchSize !== undefined && { microBatchSize }),
    ...(maximize && { maximize }),
    ...(checkpointing !== undefined && { checkpointing }),
  };
}

/** The loss around the current weights, a mean over the last steps, and the latest dev score. */
function standing(losses: readonly number[], scores: readonly Score[]): Pick<ProgressEvent, "loss" | "dev"> {
  const last = losses.slice(-50);
  const loss = last.reduce((sum, each) => sum + each, 0) / last.length;
  const dev = scores.findLast(({ on }) => on === "dev");
  return { loss, ...(dev && { dev: dev.score }) };
}
