import { existsSync } from "node:fs";
import { join } from "node:path";
import { adaptedModel } from "../adapters/adapter.ts";
import { fillWeights } from "../adapters/ownFile.ts";
import { isInPeft, loadAdapter } from "../adapters/peft.ts";
import { isObject, readObject } from "../checkpoints/json.ts";
import { checkOptions, KitError, showValue } from "../error.ts";
import { loadModel } from "../models/load.ts";
import type { LanguageModel } from "../models/network.ts";
import type { WeightOptions } from "../models/weights.ts";
import { readRun } from "../record/read.ts";
import type { Run } from "../record/run.ts";
import { firstOf } from "../record/steps.ts";
import { type ClassificationOptions, classification } from "../tasks/classification.ts";
import { definitionOf, tasks } from "../tasks/index.ts";
import type { Task, TaskDefinition } from "../tasks/task.ts";
import type { Progress } from "../tensor/progress.ts";
import { beginAdapter } from "./replay.ts";
import { FILES, type Manifest } from "./saveTuned.ts";
import { type Made, placeProbe, type Tuned, withBegin } from "./tuned.ts";

/** Settings of loading a tuned model. */
export interface LoadTunedOptions extends WeightOptions {
  /** The task, where it is one of your own that no file can hold. */
  readonly task?: TaskDefinition | Task;
  /** The base model of an adapter or a probe, loaded or by its place, where it is no longer where it was. */
  readonly model?: LanguageModel | string;
  readonly onProgress?: Progress;
}

/**
 * Loads a tuned model from a folder of `saveTuned`, with its task, ready to answer. The base model of an adapter or a probe is loaded from
 * where it was, and its weights must be the same by their hash. Weights are kept as in the run unless the options say otherwise. Throws a
 * KitError for any other folder, for another base model, and where the task is one of your own and is not given.
 */
export async function loadTuned(folder: string, options: LoadTunedOptions = {}): Promise<Tuned> {
  const { task: given, model, onProgress, weights, rounding, ...unknown } = options;
  checkOptions("loadTuned", unknown, ["task", "model", "onProgress", "weights", "rounding"]);
  const manifest = readManifest(folder);
  const run = readRun(join(folder, FILES.run));
  const task = readTask(folder, run, given);
  const kept = run.header.weights;
  const load: Load = (place) =>
    loadModel(place, {
      ...((weights ?? kept) && { weights: weights ?? kept!.format }),
      ...((rounding ?? kept) && { rounding: rounding ?? kept!.rounding }),
      ...(onProgress && { onProgress }),
      ...(place !== folder && run.header.untied && { untied: true }),
      ...(place === manifest.base && isOnHub(run, place) && { revision: run.header.revision }),
    });
  const made =
    manifest.holds === "model"
      ? await loadFull(folder, manifest, load)
      : await loadBeside(folder, { run, manifest, model: model ?? manifest.base! }, load);
  return withBegin({ ...made, task, run, step: manifest.step }, run);
}

/** Whether a base model's place is a name on the hub, where the run's header has its commit. */
const isOnHub = ({ header }: Run, place: string): boolean => header.revision !== undefined && header.model === place;

type Load = (place: string) => Promise<LanguageModel>;

function readManifest(folder: string): Manifest {
  for (const file of [FILES.tuned, FILES.task, FILES.run])
    if (!existsSync(join(folder, file)))
      throw new KitError(
        `Loading the tuned model ${folder}: no ${file} there; give a folder that saveTuned wrote, or load a plain model with loadModel.`,
      );
  const { holds, step, base, weightsHash } = readObject(join(folder, FILES.tuned));
  const isKnown = holds === "model" ? typeof weightsHash === "string" : typeof base === "string";
  if (["model", "adapter", "probe"].includes(holds as string) && Number.isInteger(step) && isKnown)
    return { holds, step, base, weightsHash } as Manifest;
  throw new KitError(
    `Reading ${join(folder, FILES.tuned)}: it holds ${showValue({ holds, step, base, weightsHash })}, which does not describe a tuned model; save it again.`,
  );
}

function readTask(folder: string, { header }: Run, given?: TaskDefinition | Task): TaskDefinition {
  const { task: name, classification: spec } = readObject(join(folder, FILES.task));
  if (given) {
    const definition = definitionOf(given);
    if (definition.name === header.task) return definition;
    throw new KitError(
      `The tuned model ${folder} answers ${header.task}, and the task ${definition.name} was given: give its own.`,
    );
  }
  if (isObject(spec)) return classification(spec as unknown as ClassificationOptions);
  if (tasks.some((task) => task.name === name)) return definitionOf(name as string);
  throw new KitError(
    `The tuned model ${folder} answers ${showValue(name)}, a task of your own, whose functions no file holds: give its definition, loadTuned(folder, { task }).`,
  );
}

async function loadFull(folder: string, { weightsHash }: Manifest, load: Load): Promise<Made> {
  const model = await load(folder);
  if (model.weightsHash === weightsHash) return { model, dispose: () => model.dispose() };
  model.dispose();
  throw new KitError(
    `The tuned model ${folder} was saved with the weights ${weightsHash}, and ${model.weightsHash} are there: save it again, or load them alone with loadModel.`,
  );
}

interface Beside {
  readonly run: Run;
  readonly manifest: Manifest;
  readonly model: LanguageModel | string;
}

/** An adapter or a probe with its base model. */
async function loadBeside(folder: string, { run, manifest, model: given }: Beside, load: Load): Promise<Made> {
  const base = typeof given === "string" ? await loadBase(folder, run, given, load) : given;
  try {
    checkHash(folder, run, base);
    const made = manifest.holds === "probe" ? await placeProbe(base, run) : placeAdapter(folder, run, base);
    if (base === given) return made;
    const dispose = (): void => {
      made.adapted?.dispose();
      base.dispose();
    };
    return { ...made, dispose };
  } catch (error) {
    if (base !== given) base.dispose();
    throw error;
  }
}

async function loadBase(folder: string, { header }: Run, place: string, load: Load): Promise<LanguageModel> {
  try {
    return await load(place);
  } catch (error) {
    if (!(error instanceof KitError)) throw error;
    throw new KitError(
      `The tuned model ${folder} needs its base model ${header.model}: ${error.message.replace(/\.$/, "")}; where it is elsewhere, give it as loadTuned's model.`,
    );
  }
}

function checkHash(folder: string, { header }: Run, base: LanguageModel): void {
  if (header.weightsHash === base.weightsHash && Boolean(header.untied) === Boolean(base.untied)) return;
  throw new KitError(
    `The tuned model ${folder} belongs to ${header.model} with the weights ${header.weightsHash}${header.untied ? ", untied" : ""}, but ${base.id} has ${base.weightsHash}${base.untied ? ", untied" : ""}: give its own base model as loadTuned's model.`,
  );
}

function placeAdapter(folder: string, run: Run, base: LanguageModel): Made {
  const { header } = firstOf(run);
  const isPeft = isInPeft(header.adapter!.name);
  const adapted = isPeft ? loadAdapter(folder, base) : beginAdapter(base, header)!;
  try {
    if (!isPeft) fillWeights(join(folder, FILES.weights), adapted);
  } catch (error) {
    adapted.dispose();
    throw error;
  }
  return { model: adaptedModel(base, adapted), adapted, dispose: () => adapted.dispose() };
}
