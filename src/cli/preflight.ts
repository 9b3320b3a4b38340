import { accessSync, constants, mkdirSync } from "node:fs";
import { hashFiles } from "../checkpoints/hash.ts";
import { KitError } from "../error.ts";
import { contentOf } from "../experiment/dataIdentity.ts";
import { type OpenModel, openModel } from "../models/load.ts";
import { findTask, tasks } from "../tasks/index.ts";
import type { TaskDefinition } from "../tasks/task.ts";
import type { Progress } from "../tensor/progress.ts";
import { type CheckedPlan, type DrawnRows, type Job, planOf, taskOf } from "./job.ts";
import { headerAt, rowsName } from "./names.ts";
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
  const drawn = await drawnRows(chosen, options);
  checkWritable(options.out, "--out");
  checkWritable(options.figures, "--figures");
  const names = chosen.map(({ name }) => name);
  const reason = (method: string, task: string) => reasonAgainst(method, findTask(task), model.prompts);
  const plan = planOf(options, names, reason, drawn);
  if (!options.smoke) checkReplaced(plan.jobs, drawn, model);
  return { ...plan, remarks: new Set(drawn.flatMap(({ task, remark }) => (remark ? [`${task}: ${remark}.`] : []))) };
}

/** Draws the rows of each task under each seed, as its runs will. */
async function drawnRows(chosen: readonly TaskDefinition[], options: CliOptions): Promise<DrawnRows[]> {
  const drawn: DrawnRows[] = [];
  for (const { name: task } of chosen) {
    for (const seed of options.seeds) {
      const { data, remark } = await taskOf({ task, seed, options });
      const name = await rowsName(task, [data]);
      drawn.push({ task, seed, data, ...(remark !== undefined && { remark }), ...(name !== undefined && { name }) });
    }
  }
  return drawn;
}

/**
 * Throws a KitError where a run would take the place of one of another model or of other rows: a folder of the same last name, or a file
 * that was made otherwise. With other settings it does so, as the help says.
 */
function checkReplaced(jobs: readonly Job[], drawn: readonly DrawnRows[], { id, checkpoint }: OpenModel): void {
  let weightsHash: string | undefined;
  for (const { file, task, seed } of jobs) {
    const header = headerAt(file);
    if (!header) continue;
    const rows = drawn.find((one) => one.task === task && one.seed === seed)!;
    if (contentOf(header.data) !== contentOf(rows.data)) throw inTheWay(file, `on ${header.data}`, `on ${rows.data}`);
    if (header.weightsHash === "none") continue;
    weightsHash ??= hashFiles(checkpoint.files);
    if (header.weightsHash !== weightsHash)
      throw inTheWay(file, `of ${header.model} ${header.weightsHash}`, `of ${id} ${weightsHash}`);
  }
}

const inTheWay = (file: string, is: string, wanted: string): KitError =>
  new KitError(
    `${file} holds a run ${is}, whose place one ${wanted} was to take: name another folder with --out, or move that file away.`,
  );

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
