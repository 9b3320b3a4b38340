import { setImmediate } from "node:timers/promises";
import { batches, encodeBatch, type LabelledBatch } from "../loss/encode.ts";
import { type ObjectiveOptions, objectiveFor } from "../loss/objective.ts";
import { scorerFor } from "../loss/score.ts";
import type { LanguageModel } from "../models/network.ts";
import { hashTheta, recordLosses } from "../record/observe.ts";
import type { PredictedBytes, Run, RunRecorder, Score, StepRecord, UnfinishedRun } from "../record/run.ts";
import { isBest, stepsTaken } from "../record/steps.ts";
import type { Task } from "../tasks/task.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { ProgressEvent } from "../tensor/progress.ts";
import type { Resident, Training, Tuner } from "../tuners/tuner.ts";
import { type Execution, findLongest, measureCost, predictBytes, residentOf } from "./cost.ts";
import { copyWeights, type KeptWeights, noteBest } from "./keptWeights.ts";
import type { TuneSettings } from "./tuneOptions.ts";

/** A model that runs score: its weights as they are now, the tuned ones among them, and the task. */
export interface TunedModel {
  readonly model: LanguageModel;
  readonly theta: readonly Parameter[];
  readonly task: Task;
}

/** A model with a training of its weights that has begun. */
export interface Subject extends TunedModel {
  readonly tuner: Tuner;
  readonly training: Training;
}

/** When the dev part is scored, and which dev score counts as the best. */
export type ScoringSchedule = Pick<TuneSettings, "steps" | "evaluateEvery" | "chooseBy" | "begin" | "onProgress">;

const SILENT: RunRecorder = { start: () => {}, step: () => {}, score: () => {} };

/** The three parts of the data as token ids. */
export type Parts = Readonly<Record<"train" | Score["on"], LabelledBatch>>;

/** Takes the steps that a run still lacks, from the weights as its past left them, and scores them when due. */
export async function train(subject: Subject, past: UnfinishedRun, settings: TuneSettings): Promise<Run> {
  const { model, theta, task, training } = subject;
  const { steps: total, seed, onProgress = () => {}, record = SILENT } = settings;
  const started = performance.now();
  const { header, before } = past;
  if (!settings.resume) await record.start(header, before);
  const parts = encodeParts(model, task, settings);
  const batchAt = batches(parts.train, settings.batchSize, task.splitSeed ?? seed);
  const objectiveOf = settings.objectiveOf ?? objectiveFor(model, task, objectiveOptions(settings));
  const steps: StepRecord[] = [...past.steps];
  const scores: Score[] = [...past.scores];
  const score = makeStepScorer(subject, parts, { schedule: settings, label: header.method });
  const recent: number[] = [];
  let best: KeptWeights | undefined;

  for (let step = stepsTaken(past); ; step++) {
    if (isDue(step, settings))
      for await (const found of score(step, scores)) {
        scores.push(found);
        await record.score(found);
        if (settings.keepBest && found.on === "test") best = await copyWeights(theta, step, best);
      }
    if (step === total) break;
    await setImmediate(); // a notebook draws, an interrupt gets through
    const { objective, losses } = recordLosses(objectiveOf(batchAt(step), step));
    const { loss, projectedGrad } = await training.step(objective, { seed, step, total });
    steps.push({ step, losses, ...(projectedGrad !== undefined && { projectedGrad }) });
    await record.step(steps.at(-1)!);
    recent.push(loss);
    onProgress({ label: header.method, done: step + 1, total, ...readStanding(recent, scores) });
  }
  const cost = measureCost(started, total, predictMemory(subject, settings, parts));
  const run = { header, steps, scores, cost, ...(before && { before }) };
  if (best) noteBest(run, best, settings.adapter);
  return run;
}

/** The three parts of a task for a model. */
export function encodeParts(
  model: LanguageModel,
  { train, dev, test }: Task,
  { begin }: Pick<ScoringSchedule, "begin">,
): Parts {
  const encode = (part: Task["train"]): LabelledBatch => encodeBatch(model, part, begin);
  return { train: encode(train), dev: encode(dev), test: encode(test) };
}

/** Whether the dev part is scored after a number of steps. */
export const isDue = (step: number, { steps, evaluateEvery }: ScoringSchedule): boolean =>
  step > 0 && (step % evaluateEvery === 0 || step === steps);

/** Makes the scoring of a step: of the dev part, and of the test part where dev is the best so far; scores that `scores` already has are left out. */
export function makeStepScorer(
  { model, theta, task }: TunedModel,
  parts: Parts,
  { schedule, label }: { readonly schedule: ScoringSchedule; readonly label: string },
): (step: number, scores: readonly Score[]) => AsyncGenerator<Score> {
  const { begin, chooseBy, onProgress = () => {} } = schedule;
  const scoreOn = scorerFor(model, task, begin);
  return async function* (step, scores) {
    const earlier = scores.filter((score) => score.on === "dev" && score.step < step);
    const known = (on: Score["on"]): Score | undefined =>
      scores.find((score) => score.on === on && score.step === step);
    const hash = await hashTheta(theta);
    const scorePart = async (on: Score["on"]): Promise<Score> => {
      const report = (done: number): void => onProgress({ label, part: on, done, total: parts[on].gold.length });
      return { ...(await scoreOn({ ...parts[on], on, step }, report)), theta: hash };
    };
    const dev = known("dev") ?? (await scorePart("dev"));
    if (!known("dev")) yield dev;
    if (isBest(dev, earlier, chooseBy) && !known("test")) yield await scorePart("test");
  };
}

/** The predicted memory of training's widest pass, and of scoring's. */
function predictMemory(
  { model, theta, tuner }: Subject,
  settings: TuneSettings,
  { train, ...others }: Parts,
): PredictedBytes[] {
  const resident = residentOf(tuner, theta);
  const lengths = findLongest(train.examples, settings.microBatchSize ?? settings.batchSize);
  const kept = { ...resident, gradients: 0 };
  const copied = settings.keepBest ? 4 * theta.reduce((sum, { value }) => sum + value.size, 0) : 0;
  const predictions = [
    predictBytes({ network: model, theta, execution: chooseExecution(resident, settings), lengths, resident }),
    ...Object.values(others).map(({ examples }) =>
      predictBytes({ network: model, theta, execution: "forward", lengths: findLongest(examples), resident: kept }),
    ),
  ];
  return predictions.map((bytes) => ({ ...bytes, temporaries: bytes.temporaries + copied }));
}

function chooseExecution({ gradients }: Resident, { checkpointing, maximize }: TuneSettings): Execution {
  if (gradients > 0) return checkpointing ? "checkpointed" : "backward";
  return maximize ? "forward" : "pair";
}

function objectiveOptions({ microBatchSize, maximize, checkpointing }: TuneSettings): ObjectiveOptions {
  return {
    ...(microBatchSize !== undefined && { microBatchSize }),
    ...(maximize && { maximize }),
    ...(checkpointing !== undefined && { checkpointing }),
  };
}

/** The loss around the current weights, a mean over the last steps, and the latest dev score. */
function readStanding(losses: readonly number[], scores: readonly Score[]): Pick<ProgressEvent, "loss" | "dev"> {
  const last = losses.slice(-50);
  const loss = last.reduce((sum, each) => sum + each, 0) / last.length;
  const dev = scores.findLast(({ on }) => on === "dev");
  return { loss, ...(dev && { dev: dev.score }) };
}
