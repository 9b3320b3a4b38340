import { accessSync, constants, mkdirSync } from "node:fs";
import { KitError } from "../error.ts";
import { openModel } from "../models/load.ts";
import { findTask, tasks } from "../tasks/index.ts";
import type { TaskDefinition } from "../tasks/task.ts";
import type { Progress } from "../tensor/progress.ts";
import { type CheckedPlan, planOf, taskOf } from "./job.ts";
import type { CliOptions } from "./options.ts";
import { settingsOf, tunerOf } from "./runMethod.ts";
import type { Trained } from "./settings.ts";

/** Looks at all that a command needs before any of it is done, so that what cannot end well does not begin, and plans it. Throws a KitError. */
export async function preflight(options: CliOptions, onProgress: Progress): Promise<CheckedPlan> {
  const wanted = options.tasks === "all" ? undefined : options.tasks.map((name) => findTask(name));
  const model = await openModel(options.model, onProgress, options.untied);
  const chosen = (wanted ?? tasks).filter((task) => wanted || task[model.prompts] !== undefined);
  for (const task of chosen) checkPrompts(task, model);
  checkWeights(options);
  const trained = options.methods.filter((method) => /^(FT|MeZO)/.test(method)) as Trained[];
  for (const method of trained) tunerOf(method, settingsOf(options, model, method), options);
  const remarks = await remarksOn(chosen, options);
  checkWritable(options.out, "--out");
  checkWritable(options.figures, "--figures");
  const names = chosen.map(({ name }) => name);
  const plan = planOf(options, names, (method, task) => reasonAgainst(method, findTask(task), model.prompts));
  return { ...plan, remarks };
}

/** Loads each task under each seed, and returns what is to be known about the rows. */
async function remarksOn(chosen: readonly TaskDefinition[], options: CliOptions): Promise<Set<string>> {
  const remarks = new Set<string>();
  for (const { name } of chosen) {
    for (const seed of options.seeds) {
      const { remark } = await taskOf({ task: name, seed, options });
      if (remark !== undefined) remarks.add(`${name}: ${remark}.`);
    }
  }
  return remarks;
}

type Prompts = "autoregressive" | "masked";

/** Why a method cannot be run on a task with a kind of model, where it cannot. */
export function reasonAgainst(
  method: string,
  { metric, classes }: TaskDefinition,
  prompts: Prompts,
): string | undefined {
  if (method === "ICL" && prompts === "masked") return "the paper learns in context with autoregressive models only";
  if (method === "Majority" && (metric === "F1" || classes === "none")) return "its answers are texts and not classes";
  return undefined;
}

/** Throws a KitError where a task has no prompts for a kind of model. */
export function checkPrompts(task: TaskDefinition, { id, prompts }: { id: string; prompts: Prompts }): void {
  if (task[prompts]) return;
  const those =
    prompts === "masked" ? "masked models, as Table 13 has for" : "autoregressive models, as Table 14 has for";
  const others = tasks.filter((other) => other[prompts]).map(({ name }) => name);
  throw new KitError(
    `${task.name} was to be run on ${id}, but it has no prompt for ${those} ${others.join(", ")}: choose one of these, or another model.`,
  );
}

/** Throws a KitError for weights in 16 bits on a backend that cannot keep them. */
export function checkWeights({ weights, backend }: Pick<CliOptions, "weights" | "backend">): void {
  if (weights === "float32" || backend === "auto" || backend === "native") return;
  throw new KitError(
    `Weights in ${weights} need the native backend, and ${backend} was chosen: leave out one of them.`,
  );
}

/** Makes a folder that results go to; throws a KitError where it cannot be written. */
export function checkWritable(folder: string, option: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new KitError(
      `${folder}: results were to be written there, but it cannot be written to (${code}); name another folder with ${option}.`,
    );
  }
}
