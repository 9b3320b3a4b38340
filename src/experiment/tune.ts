import { adaptedModel } from "../adapters/adapter.ts";
import { KitError } from "../error.ts";
import type { LanguageModel } from "../models/network.ts";
import { bringBaseBack, noteAdapterGone, noteGone } from "../models/network.ts";
import { adapterText, compareHeaders, differenceText, isFinished, MACHINE } from "../record/diff.ts";
import type { Run, RunHeader, UnfinishedRun } from "../record/run.ts";
import { firstOf, stepsTaken } from "../record/steps.ts";
import type { Task } from "../tasks/task.ts";
import type { Training, Tuner } from "../tuners/tuner.ts";
import { whyStopped } from "./checkFinite.ts";
import { resetPeak } from "./cost.ts";
import { tuningHeader } from "./header.ts";
import { beginAs, checkBase, checkTheta, retrace } from "./replay.ts";
import { type Subject, train } from "./train.ts";
import { type CarriedRun, type TuneOptions, type TuneSettings, tuneSettings } from "./tuneOptions.ts";

/**
 * Tunes the model from its base weights on the task's training part, in place, or an adapter beside them. The dev part is scored
 * every `evaluateEvery` steps, and whenever it is the best yet (by the authors' choice of checkpoint, `chooseBy`) the test part too: so
 * the last test score is that of the best weights, and no second copy of them is ever kept. An interrupted run is
 * continued (`resume`), or a new one begins from the weights of another (`from`). Afterwards the base weights are back, unless `keepWeights` says to
 * leave the last ones. Throws a KitError for options that do not fit and where a loss is not finite.
 */
export async function tune(model: LanguageModel, task: Task, tuner: Tuner, options: TuneOptions): Promise<Run> {
  try {
    const settings = tuneSettings(options, model.prompts);
    const past = beginOrResume(model, tuningHeader({ model, task, seed: settings.seed }, tuner, settings), settings);
    const go = (from: UnfinishedRun, at: Pick<CarriedRun, "tuner" | "settings">): Promise<Run> =>
      tuneFrom(from, { model, task, tuner: at.tuner }, at.settings);
    const at = { past, task, tuner, settings };
    if (!("cost" in past)) return await (settings.cluster?.carryOn(at, go) ?? go(past, at));
    (settings.adapter ? noteAdapterGone : noteGone)(model, past.header.method);
    return past;
  } catch (error) {
    options.record?.release?.();
    throw error;
  }
}

async function tuneFrom(
  past: UnfinishedRun,
  { model, task, tuner }: Pick<Subject, "model" | "task" | "tuner">,
  settings: TuneSettings,
): Promise<Run> {
  const { adapter, onAdapted, keepWeights } = settings;
  model.restore();
  resetPeak();
  const isNew = stepsTaken(past) === 0 && !past.before;
  const adapted = adapter && beginAs(firstOf(past).header, adapter, model);
  const theta = adapted?.parameters ?? model.parameters;
  let training: Training | undefined;
  try {
    training = isNew ? tuner.begin(theta) : await retrace(theta, past, settings.onProgress, tuner);
    if (!isNew) await checkTheta(theta, past, model);
    const subject = { model: adapted ? adaptedModel(model, adapted) : model, theta, task, tuner, training };
    const run = await train(subject, past, settings);
    if (adapted) await onAdapted?.(adapted);
    return run;
  } catch (error) {
    throw await whyStopped(error, model);
  } finally {
    training?.dispose();
    adapted?.dispose();
    const { method } = past.header;
    if (adapted && !onAdapted) noteAdapterGone(model, method);
    if (!adapted && !keepWeights) bringBaseBack(model, method);
  }
}

/** The run as far as it has come: nothing yet, or what is resumed. Throws a KitError where that is another run. */
function beginOrResume(
  model: LanguageModel,
  header: RunHeader,
  { resume, from, steps }: TuneSettings,
): Run | UnfinishedRun {
  const past = resume ?? { header, steps: [], scores: [], ...(from && { before: from }) };
  if (resume || from) checkBase(model, past);
  const difference = resume && !isFinished(resume, header) && compareHeaders(resume.header, header, MACHINE);
  if (difference)
    throw new KitError(
      `A run was to be resumed, but ${differenceText(difference)}: resume it with the settings that it began with, or write this one to another folder.`,
    );
  if (from && adapterText(firstOf(from).header.adapter) !== adapterText(header.adapter))
    throw new KitError(
      `A run was to begin from another's weights, but that has ${adapterText(firstOf(from).header.adapter)} and this ${adapterText(header.adapter)}: they need the same adapter.`,
    );
  if (stepsTaken(past) > steps)
    throw new KitError(
      `A run of ${steps} steps was to be resumed after ${stepsTaken(past)}: ask for more, or cut it earlier.`,
    );
  return past;
}
