import { adaptedModel } from "../adapters/adapter.ts";
import { KitError } from "../error.ts";
import type { LanguageModel } from "../models/network.ts";
import { bringBaseBack, noteAdapterGone, noteGone } from "../models/network.ts";
import { differenceText, headersDiffer } from "../record/diff.ts";
import { firstOf, type Run, type RunHeader, stepsTaken, type UnfinishedRun } from "../record/run.ts";
import type { Task } from "../tasks/task.ts";
import type { Training, Tuner } from "../tuners/tuner.ts";
import { whyStopped } from "./checkFinite.ts";
import { resetPeak } from "./cost.ts";
import { tuningHeader } from "./header.ts";
import { areTheRuns, checkBase, retrace } from "./replay.ts";
import { type Subject, train } from "./train.ts";
import { type TuneOptions, type TuneSettings, tuneSettings } from "./tuneOptions.ts";

/**
 * Tunes the model from its base weights on the task's training part, in place, or an adapter beside them. The dev part is scored
 * every `evaluateEvery` steps, and whenever it is the best yet (by the authors' choice of checkpoint, `chooseBy`) the test part too: so
 * the last test score is that of the best weights, and no second copy of them is ever kept. A run that was cut short is gone on with
 * (`resume`), or the weights of another are begun from (`from`). Afterwards the base weights are back, unless `keepWeights` says to
 * leave the last ones. Throws a KitError for options that do not fit and where a loss is not finite.
 */
export async function tune(model: LanguageModel, task: Task, tuner: Tuner, options: TuneOptions): Promise<Run> {
  try {
    const settings = tuneSettings(options, model.prompts);
    const past = pastOf(model, tuningHeader({ model, task, seed: settings.seed }, tuner, settings), settings);
    if (!("cost" in past)) return await tunedFrom(past, { model, task, tuner }, settings);
    (settings.adapter ? noteAdapterGone : noteGone)(model, past.header.method);
    return past;
  } catch (error) {
    options.record?.release?.();
    throw error;
  }
}

async function tunedFrom(
  past: UnfinishedRun,
  { model, task, tuner }: Pick<Subject, "model" | "task" | "tuner">,
  settings: TuneSettings,
): Promise<Run> {
  const { adapter, onAdapted, keepWeights } = settings;
  model.restore();
  resetPeak();
  const drawn = { seed: firstOf(past).header.seed, vocabulary: model.tokenizer.size };
  const adapted = adapter?.begin(model, drawn);
  const theta = adapted?.parameters ?? model.parameters;
  let training: Training | undefined;
  try {
    training = await retrace(theta, past, settings.onProgress, tuner);
    areTheRuns(theta, past, model);
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
function pastOf(model: LanguageModel, header: RunHeader, { resume, from, steps }: TuneSettings): Run | UnfinishedRun {
  const past = resume ?? { header, steps: [], scores: [], ...(from && { before: from }) };
  if (resume || from) checkBase(model, past);
  const difference = resume && headersDiffer(resume.header, header, ["threads", "kit"]);
  if (difference)
    throw new KitError(
      `A run was to be resumed, but ${differenceText(difference)}: resume it with the settings that it was begun with, or write this one to another folder.`,
    );
  if (from && adapterText(firstOf(from).header) !== adapterText(header))
    throw new KitError(
      `A run was to be begun from another's weights, but that has ${adapterText(firstOf(from).header)} and this ${adapterText(header)}: they need the same adapter.`,
    );
  if (stepsTaken(past) > steps)
    throw new KitError(
      `A run of ${steps} steps was to be gone on with after ${stepsTaken(past)}: ask for more, or cut it earlier.`,
    );
  return past;
}

/** "LoRA (LoRA.rank 8, LoRA.alpha 16)", or "no adapter". */
function adapterText({ adapter, options }: RunHeader): string {
  if (adapter === undefined) return "no adapter";
  const own = Object.entries(options).filter(([name]) => name.startsWith(`${adapter}.`));
  return `${adapter} (${own.map(([name, value]) => `${name} ${value}`).join(", ")})`;
}
