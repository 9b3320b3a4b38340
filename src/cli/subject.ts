import { KitError } from "../error.ts";
import { checkPrompts, checkWeights, drawTask } from "../measure/plan.ts";
import type { MeasureRequest } from "../measure/request.ts";
import { loadModel, openModel } from "../models/load.ts";
import type { LanguageModel } from "../models/network.ts";
import { findTask } from "../tasks/index.ts";
import type { Task } from "../tasks/task.ts";
import { useBackend } from "../tensor/backend.ts";
import type { Progress } from "../tensor/progress.ts";

type Place = "data" | "encoding" | "quoting" | "train" | "dev" | "test" | "k";

/** Which model on which rows of which task, and where to compute: the options of `addData` and `addMachine`, and a seed. */
export interface SubjectOptions
  extends Pick<
    MeasureRequest,
    Place | "model" | "revision" | "backend" | "threads" | "products" | "weights" | "rounding" | "untied"
  > {
  readonly task: string | readonly string[];
  readonly seed: number;
}

/** A model and the rows of a task. */
export interface Subject {
  readonly model: LanguageModel;
  readonly task: Task;
}

/** Loads what a command that looks at one task was asked for, by the command's name in errors; the model last, so that nothing is read in vain. */
export async function loadSubject(command: string, options: SubjectOptions, onProgress: Progress): Promise<Subject> {
  const { seed, model: id, revision, backend, threads, products, weights, rounding, untied } = options;
  const definition = findTask(oneTask(command, options));
  checkPrompts(definition, await openModel(id, { revision, untied, onProgress }));
  checkWeights(options);
  const task = await drawTask({ task: definition.name, seed, request: options }, onProgress);
  await useBackend(backend, { threads, products });
  return { model: await loadModel(id, { revision, weights, rounding, untied, onProgress }), task };
}

function oneTask(command: string, { task }: SubjectOptions): string {
  const [one, ...others] = [task].flat();
  if (one !== undefined && one !== "all" && others.length === 0) return one;
  throw new KitError(`mezo ${command} looks at one task at a time, and was given ${task}: name one with --task.`);
}
