import type { Adapted } from "../adapters/adapter.ts";
import { adaptedModel } from "../adapters/adapter.ts";
import { checkOptions, KitError } from "../error.ts";
import type { Begin } from "../loss/encode.ts";
import type { LanguageModel } from "../models/network.ts";
import { bringBaseBack } from "../models/network.ts";
import { adapterOf, tunerOf } from "../record/header.ts";
import type { RunRecorder } from "../record/run.ts";
import {
  type ChooseBy,
  choosesBy,
  contentOf,
  firstOf,
  type Run,
  type RunHeader,
  type Score,
  type StepRecord,
  stepsTaken,
} from "../record/run.ts";
import type { Task } from "../tasks/task.ts";
import { deferSweeps } from "../tensor/deferred.ts";
import type { Progress } from "../tensor/progress.ts";
import { areTheRuns, checkBase, retrace, takeAgain } from "./replay.ts";
import { encodeParts, isDue, makeStepScorer, type ScoringSchedule, type TunedModel } from "./train.ts";

/** How a run is to be looked at; what is left out stays as it was. */
export interface RescoreOptions {
  readonly evaluateEvery?: number;
  readonly chooseBy?: ChooseBy;
  readonly onProgress?: Progress;
  /** Told of the run with its new scores as they are made. */
  readonly record?: RunRecorder;
}

/**
 * The run with the scores that it would have had, had its dev part been scored at other steps or its checkpoint chosen by another rule:
 * its steps are made again from the file, without a forward pass, and stay as they are, as does what they cost. Throws a KitError for
 * another base model or other rows than the run's, and for a run whose steps no file tells, as FT's.
 */
export async function rescore(model: LanguageModel, task: Task, run: Run, options: RescoreOptions = {}): Promise<Run> {
  const { record, ...asked } = options;
  checkBase(model, run);
  checkRows(task, run.header);
  const looks = looksOf(run, asked);
  const { header: first } = firstOf(run);
  model.restore();
  const adapted = adapterOf(first)?.begin(model, { seed: first.seed, vocabulary: model.tokenizer.size });
  try {
    return await scoredAgain(scoredOf(model, task, adapted), run, looks, record);
  } finally {
    adapted?.dispose();
    if (!adapted) bringBaseBack(model, first.method);
  }
}

function scoredOf(model: LanguageModel, task: Task, adapted: Adapted | undefined): TunedModel {
  if (!adapted) return { model, theta: model.parameters, task };
  return { model: adaptedModel(model, adapted), theta: adapted.parameters, task };
}

function looksOf(run: Run, options: Omit<RescoreOptions, "record">): ScoringSchedule {
  const { header } = run;
  const was = { evaluateEvery: Number(header.options.evaluateEvery), chooseBy: choosesBy(header) };
  const { evaluateEvery = was.evaluateEvery, chooseBy = was.chooseBy, onProgress = () => {}, ...unknown } = options;
  checkOptions("rescore", unknown, ["evaluateEvery", "chooseBy", "onProgress", "record"]);
  if (!(Number.isInteger(evaluateEvery) && evaluateEvery >= 1))
    throw new KitError(`rescore needs a whole number from 1 on for evaluateEvery, not ${evaluateEvery}.`);
  return { steps: stepsTaken(run), evaluateEvery, chooseBy, begin: header.options.begin as Begin, onProgress };
}

function headerOf(header: RunHeader, { evaluateEvery, chooseBy }: ScoringSchedule): RunHeader {
  const { chooseBy: _, ...options } = header.options;
  return { ...header, options: { ...options, evaluateEvery, ...(chooseBy !== "loss" && { chooseBy }) } };
}

async function scoredAgain(scored: TunedModel, run: Run, looks: ScoringSchedule, record?: RunRecorder): Promise<Run> {
  const { theta, model, task } = scored;
  const { steps, before, cost } = run;
  const { onProgress } = looks;
  const header = headerOf(run.header, looks);
  if (before) (await retrace(theta, before, onProgress)).dispose();
  const sweeps = deferSweeps();
  const training = tunerOf(header).begin(theta, sweeps.through);
  const score = makeStepScorer(scored, encodeParts(model, task, looks), {
    schedule: looks,
    label: `${header.method}, again`,
  });
  const scores: Score[] = [];
  record?.start(header, before);
  try {
    for (const part of between(steps, looks)) {
      await takeAgain({ training, sweeps }, { header, steps: part }, onProgress);
      for (const step of part) record?.step(step);
      for await (const found of score(part.at(-1)!.step + 1, scores)) {
        scores.push(found);
        record?.score(found);
      }
    }
    areTheRuns(theta, run, model);
    return { header, steps, scores, cost, ...(before && { before }) };
  } finally {
    training.dispose();
  }
}

/** The steps in pieces, after each of which the dev part is due. */
function between(steps: readonly StepRecord[], looks: ScoringSchedule): StepRecord[][] {
  const pieces: StepRecord[][] = [[]];
  for (const step of steps) {
    pieces.at(-1)!.push(step);
    if (isDue(step.step + 1, looks)) pieces.push([]);
  }
  return pieces.filter((piece) => piece.length > 0);
}

function checkRows(task: Task, { task: name, data, split }: RunHeader): void {
  const rows = { train: task.train.length, dev: task.dev.length, test: task.test.length };
  const isSame = task.name === name && contentOf(task.data) === contentOf(data);
  if (isSame && Object.entries(rows).every(([part, n]) => split[part as keyof typeof rows] === n)) return;
  throw new KitError(
    `A run on ${name} was to be scored again, but its rows are of ${data} (${Object.values(split).join(", ")}) and those given of ${task.data} (${Object.values(rows).join(", ")}): load the task as the run had it.`,
  );
}
