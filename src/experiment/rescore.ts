import type { Adapted } from "../adapters/adapter.ts";
import { adaptedModel } from "../adapters/adapter.ts";
import { checkOptions, KitError } from "../error.ts";
import type { Begin } from "../loss/encode.ts";
import type { LanguageModel } from "../models/network.ts";
import { bringBaseBack } from "../models/network.ts";
import { dataText } from "../record/diff.ts";
import type { ChooseBy, Run, RunHeader, RunRecorder, Score, StepRecord } from "../record/run.ts";
import { firstOf, stepsTaken } from "../record/steps.ts";
import type { Task } from "../tasks/task.ts";
import { deferSweeps } from "../tensor/deferred.ts";
import type { Progress } from "../tensor/progress.ts";
import { beginAdapter, checkBase, checkTheta, makeTuner, retakeSteps, retrace } from "./replay.ts";
import { encodeParts, isDue, makeStepScorer, type ScoringSchedule, type TunedModel } from "./train.ts";

/** How to score a run; what is left out stays as it was. */
export interface RescoreOptions {
  readonly evaluateEvery?: number;
  readonly chooseBy?: ChooseBy;
  readonly onProgress?: Progress;
  /** Told of the run with its new scores as they are made. */
  readonly record?: RunRecorder;
}

/**
 * The run with the scores that it would have had, had its dev part been scored at other steps or its checkpoint chosen by another rule:
 * its steps are replayed from the file, without a forward pass, and stay as they are, as does what they cost. Throws a KitError for
 * another base model or other rows than the run's, and for a run whose steps no file tells, as FT's.
 */
export async function rescore(model: LanguageModel, task: Task, run: Run, options: RescoreOptions = {}): Promise<Run> {
  const { record, ...asked } = options;
  checkBase(model, run);
  checkRows(task, run.header);
  const schedule = readSchedule(run, asked);
  const { header: first } = firstOf(run);
  model.restore();
  const adapted = beginAdapter(model, first);
  try {
    return await scoreAgain(adaptModel(model, task, adapted), run, schedule, record);
  } finally {
    adapted?.dispose();
    if (!adapted) bringBaseBack(model, first.method);
  }
}

function adaptModel(model: LanguageModel, task: Task, adapted: Adapted | undefined): TunedModel {
  if (!adapted) return { model, theta: model.parameters, task };
  return { model: adaptedModel(model, adapted), theta: adapted.parameters, task };
}

function readSchedule(run: Run, options: Omit<RescoreOptions, "record">): ScoringSchedule {
  const { settings } = run.header;
  const {
    evaluateEvery = Number(settings.evaluateEvery),
    chooseBy = settings.chooseBy ?? "loss",
    onProgress = () => {},
    ...unknown
  } = options;
  checkOptions("rescore", unknown, ["evaluateEvery", "chooseBy", "onProgress", "record"]);
  if (!(Number.isInteger(evaluateEvery) && evaluateEvery >= 1))
    throw new KitError(`rescore needs a whole number from 1 on for evaluateEvery, not ${evaluateEvery}.`);
  return { steps: stepsTaken(run), evaluateEvery, chooseBy, begin: settings.begin as Begin, onProgress };
}

function changeHeader(header: RunHeader, { evaluateEvery, chooseBy }: ScoringSchedule): RunHeader {
  return { ...header, settings: { ...header.settings, evaluateEvery, chooseBy } };
}

async function scoreAgain(tuned: TunedModel, run: Run, schedule: ScoringSchedule, record?: RunRecorder): Promise<Run> {
  const { theta, model, task } = tuned;
  const { steps, before, cost } = run;
  const { onProgress } = schedule;
  const header = changeHeader(run.header, schedule);
  if (before) (await retrace(theta, before, onProgress)).dispose();
  const sweeps = deferSweeps();
  const training = makeTuner(header).begin(theta, sweeps.through);
  const label = `${header.method}, again`;
  const score = makeStepScorer(tuned, encodeParts(model, task, schedule), { schedule, label });
  const scores: Score[] = [];
  record?.start(header, before);
  try {
    for (const part of splitSteps(steps, schedule)) {
      await retakeSteps({ training, sweeps }, { header, steps: part }, onProgress);
      for (const step of part) record?.step(step);
      for await (const found of score(part.at(-1)!.step + 1, scores)) {
        scores.push(found);
        record?.score(found);
      }
    }
    await checkTheta(theta, run, model);
    return { header, steps, scores, cost, ...(before && { before }) };
  } finally {
    training.dispose();
  }
}

/** The steps in pieces, after each of which the dev part is due. */
function splitSteps(steps: readonly StepRecord[], schedule: ScoringSchedule): StepRecord[][] {
  const pieces: StepRecord[][] = [[]];
  for (const step of steps) {
    pieces.at(-1)!.push(step);
    if (isDue(step.step + 1, schedule)) pieces.push([]);
  }
  return pieces.filter((piece) => piece.length > 0);
}

function checkRows(task: Task, { task: name, data, split }: RunHeader): void {
  const rows = { train: task.train.length, dev: task.dev.length, test: task.test.length };
  const isSame = task.name === name && task.data.sha256 === data.sha256;
  if (isSame && Object.entries(rows).every(([part, n]) => split[part as keyof typeof rows] === n)) return;
  throw new KitError(
    `A run on ${name} was to be scored again, but its rows are of ${dataText(data)} (${Object.values(split).join(", ")}) and those given of ${dataText(task.data)} (${Object.values(rows).join(", ")}): load the task as the run had it.`,
  );
}
