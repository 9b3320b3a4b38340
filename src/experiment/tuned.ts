import * as tf from "@tensorflow/tfjs-core";
import { type Adapted, adaptedModel } from "../adapters/adapter.ts";
import { checkOptions, KitError } from "../error.ts";
import type { Begin } from "../loss/encode.ts";
import { bringBaseBack, type LanguageModel } from "../models/network.ts";
import type { Run } from "../record/run.ts";
import { bestStep, firstOf } from "../record/steps.ts";
import { definitionOf } from "../tasks/index.ts";
import type { Task, TaskDefinition } from "../tasks/task.ts";
import type { Progress } from "../tensor/progress.ts";
import { isTunerDefined } from "../tuners/define.ts";
import { type BestWeights, findBest, putBack } from "./keptWeights.ts";
import { placeRows } from "./probe.ts";
import { checkBase, replay } from "./replay.ts";

/** A tuned model that answers: `classify(tuned.model, tuned.task, texts)`. */
export interface Tuned {
  /** With the tuned weights in it, or with the adapter beside them. */
  readonly model: LanguageModel;
  readonly task: TaskDefinition;
  /** The run that tuned it, and after how many of its steps. */
  readonly run: Run;
  readonly step: number;
  readonly adapted?: Adapted;
  /** Frees what is tuned: the adapter, or the changes to the weights; of a loaded one (`loadTuned`) all of the model that it loaded. */
  dispose(): void;
}

/** Settings of making a tuned model. */
export interface BestModelOptions {
  readonly onProgress?: Progress;
}

/**
 * The model as a run left it where its dev part was at its best (`bestStep`), ready to answer. Runs of zeroth-order methods are replayed from
 * what their file holds: that takes no memory beside the model, and one sweep over the trained weights for many steps. A probe's rows go
 * into a copy of the output matrix, 4 bytes a number. The steps of FT are in no file, so it needs `keepBest` in `tune`, which keeps the best
 * weights as they occur, 4 bytes a trained weight (little of LoRA or a prefix; of a full model as much again as in float32); they are kept
 * with the run, in this process. A full model is changed in place, so only one of its tuned versions exists at a time; beside an adapter and
 * a probe the model stays as it is. Throws a KitError for another base model or task than the run's, and for FT without its best weights.
 */
export async function bestModel(
  model: LanguageModel,
  task: string | TaskDefinition | Task,
  run: Run,
  options: BestModelOptions = {},
): Promise<Tuned> {
  const { onProgress, ...unknown } = options;
  checkOptions("bestModel", unknown, ["onProgress"]);
  const definition = definitionOf(task);
  const { header } = run;
  if (definition.name !== header.task)
    throw new KitError(
      `The best model of a run on ${header.task} was asked for, and the task ${definition.name} was given: give the run's task.`,
    );
  checkBase(model, run);
  if (!header.head && !header.tuner)
    throw new KitError(
      `The best model of a run of ${header.method} was asked for, but it tunes nothing: the model answers as it is.`,
    );
  if (header.head) return { ...withBegin(await placeProbe(model, run), run), task: definition, run, step: 0 };
  const step = bestStep(run);
  const kept = findBest(run);
  const made = kept?.kept.step === step ? putBest(model, run, kept) : await replayBest(model, run, step, onProgress);
  return { ...withBegin(made, run), task: definition, run, step };
}

/** The model with a probe's rows in an output matrix of its own, so that they do not become embeddings of a model that ties the two. */
export async function placeProbe(model: LanguageModel, { header }: Run): Promise<Made> {
  const { weight, bias, ...rest } = model.head;
  model.restore();
  const rows = header.head!;
  const own = { name: rows.weight, value: tf.mul(weight, 1) as tf.Tensor2D };
  const offset = bias && { name: rows.bias ?? "bias", value: tf.mul(bias, 1) as tf.Tensor1D };
  const parameters = offset ? [own, offset] : [own];
  const dispose = (): void => tf.dispose(parameters.map(({ value }) => value));
  try {
    await placeRows(parameters, rows);
  } catch (error) {
    dispose();
    throw error;
  }
  const head = { ...rest, weight: own.value, ...(offset && { bias: offset.value }) };
  const adapted = { parameters, adaptation: {}, head, dispose };
  return { model: adaptedModel(model, adapted), adapted, dispose };
}

/** The model with the begin token that the run gave texts. */
export function withBegin<Made extends Pick<Tuned, "model">>(made: Made, { header }: Run): Made {
  const { begin } = header.settings;
  return begin === undefined ? made : { ...made, model: { ...made.model, tunedBegin: begin as Begin } };
}

/** What answers, and how it is freed. */
export type Made = Pick<Tuned, "model" | "adapted" | "dispose">;

async function replayBest(model: LanguageModel, run: Run, step: number, onProgress?: Progress): Promise<Made> {
  const { tuner, method } = run.header;
  if (!isTunerDefined(tuner?.name))
    throw new KitError(
      `The best model of a run of ${method} was asked for, but its steps cannot be made again from its file, and its best weights were not kept: tune again with keepBest: true.`,
    );
  const { model: tuned, adapted, dispose } = await replay(model, run, { step, ...(onProgress && { onProgress }) });
  return { model: tuned, ...(adapted && { adapted }), dispose };
}

function putBest(model: LanguageModel, run: Run, { kept, adapter }: BestWeights): Made {
  const { header } = firstOf(run);
  model.restore();
  const adapted = adapter?.begin(model, { seed: header.seed, vocabulary: model.tokenizer.size });
  putBack(adapted?.parameters ?? model.parameters, kept);
  if (!adapted) return { model, dispose: () => bringBaseBack(model, header.method) };
  return { model: adaptedModel(model, adapted), adapted, dispose: () => adapted.dispose() };
}
