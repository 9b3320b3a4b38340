import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { hashFiles } from "../checkpoints/folder.ts";
import { KitError } from "../error.ts";
import { BUNDLED_MODEL, type OpenModel, openModel } from "../models/load.ts";
import { shotsName } from "../record/diff.ts";
import { readHeader } from "../record/read.ts";
import type { RunHeader } from "../record/run.ts";
import { dataText } from "../record/text.ts";
import { findTask, tasks } from "../tasks/index.ts";
import { loadTask } from "../tasks/load.ts";
import type { DataSource, Task, TaskDefinition } from "../tasks/task.ts";
import type { Progress } from "../tensor/progress.ts";
import { settingsOf, type Trained, tunerOf } from "./methods.ts";
import type { CliOptions } from "./request.ts";

/** Digits of the content's hash in a name. */
const DIGITS = 8;

/**
 * What the names of runs and pictures say of the rows that they are of, so that those of other rows never take their place: nothing of the
 * rows that the task has by itself, else the name of the file or folder and the first digits of its content's hash, "reviews-39fe94da".
 * Runs over the authors' K-shot folders, whose rows are others under each seed, share the k and a hash of all: "16-seed-1b2c3d4e".
 */
export async function rowsName(task: string, data: readonly DataSource[]): Promise<string | undefined> {
  const contents = [...new Set(data.map(({ sha256 }) => sha256))].sort();
  const files = data[0]?.files ?? [];
  if (contents.length > 1) return `${stem(files.map(shotsName))}-${hashOf(contents.join()).slice(0, DIGITS)}`;
  return contents[0] === (await ownContent(task)) ? undefined : `${stem(files)}-${contents[0]!.slice(0, DIGITS)}`;
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** The content of the rows that a task has by itself, which one that is not the kit's has not. */
async function ownContent(task: string): Promise<string | undefined> {
  const own = await loadTask(task).catch(() => undefined);
  return own?.data.sha256;
}

/** "reviews" of "folder/reviews.csv"; of several files their folder. */
function stem([first = "", ...others]: readonly string[]): string {
  const parts = first.split("/");
  const name = others.length > 0 && parts.length > 1 ? parts.at(-2)! : parts.at(-1)!;
  const plain = name.replace(/\.gz$/i, "").replace(/\.(tsv|csv|jsonl?|parquet|txt)$/i, "");
  return plain.toLowerCase().replace(/[^\p{L}\p{N}._]+/gu, "-");
}

/** The header of a run's file, or of its part where it is under way; undefined where there is none. */
export function headerAt(file: string): RunHeader | undefined {
  const path = [file, `${file}.part`].find((each) => existsSync(each));
  return path === undefined ? undefined : readHeader(path);
}

/** One run of one method on one task with one seed, and the file it is written to. */
export interface Job {
  readonly method: string;
  readonly task: string;
  readonly seed: number;
  readonly file: string;
  readonly options: CliOptions;
}

/** What the process of a run tells the one that started it; the run itself is in the job's file. */
export type Message =
  | { readonly progress: Parameters<Progress>[0] }
  | { readonly note: string }
  | { readonly done: true }
  | { readonly error: string; readonly isNotFinite: boolean };

/** A method that is not run on a task, and why. */
export interface Omission {
  readonly method: string;
  readonly task: string;
  readonly reason: string;
}

/** What a command does: its runs, a method's seeds together, and what it leaves out. */
export interface Plan {
  readonly jobs: readonly Job[];
  readonly omissions: readonly Omission[];
}

/** A plan, and what to know about the rows of its tasks. */
export interface CheckedPlan extends Plan {
  readonly remarks: ReadonlySet<string>;
}

/** The rows of a task under a seed. */
export interface DrawnRows extends Pick<Task, "data" | "remark"> {
  readonly task: string;
  readonly seed: number;
  /** What names say of them: nothing of those that the task has by itself. */
  readonly name?: string;
}

/**
 * The plan of a command: `reasonAgainst` says why a method cannot be run on a task, where it cannot, and `drawn` has the rows that are
 * not the tasks' own.
 */
export function planOf(
  options: CliOptions,
  tasks: readonly string[],
  reasonAgainst: (method: string, task: string) => string | undefined,
  drawn: readonly DrawnRows[] = [],
): Plan {
  const pairs = tasks.flatMap((task) => options.methods.map((method) => ({ task, method })));
  const omissions = pairs.flatMap(({ task, method }) => {
    const reason = reasonAgainst(method, task);
    return reason === undefined ? [] : [{ task, method, reason }];
  });
  const left = pairs.filter(({ task, method }) => reasonAgainst(method, task) === undefined);
  const jobs = left.flatMap(({ task, method }) =>
    options.seeds.map((seed) => {
      const rows = drawn.find((one) => one.task === task && one.seed === seed);
      return { task, method, seed, options, file: fileOf(options, { task, method, seed }, rows) };
    }),
  );
  return { jobs, omissions };
}

/**
 * Where a run is written. Runs on other rows than the task's own have these in their name; one that was made when names did not tell is
 * known by its header.
 */
function fileOf(options: CliOptions, of: Pick<Job, "task" | "method" | "seed">, rows: DrawnRows | undefined): string {
  const plain = join(options.out, nameOf(options, of));
  if (rows?.name === undefined || isOn(rows.data, headerAt(plain))) return plain;
  return join(options.out, nameOf(options, { ...of, task: `${of.task}-${rows.name}` }));
}

const isOn = (data: DataSource, header: RunHeader | undefined): boolean => header?.data.sha256 === data.sha256;

function nameOf(
  { model, weights, untied }: CliOptions,
  { task, method, seed }: Pick<Job, "task" | "method" | "seed">,
): string {
  const plain = method.replace(/ \((.*)\)/, "-$1");
  const kept = `${untied ? "-untied" : ""}${weights === "float32" ? "" : `-${weights}`}`;
  return `${task}-${basename(resolve(model ?? BUNDLED_MODEL))}${kept}-${plain}-seed${seed}.jsonl`.toLowerCase();
}

/** A task by name, and which of its rows. */
export interface TaskChoice extends Pick<Job, "task" | "seed"> {
  readonly options: Pick<CliOptions, "data" | "encoding" | "quoting" | "train" | "dev" | "test" | "k">;
}

/** The task of a job, its data drawn. */
export function taskOf({ task, seed, options }: TaskChoice): Promise<Task> {
  const { data, encoding, quoting, train, dev, test, k } = options;
  return loadTask(task, { data, encoding, quoting, train, dev, test, k, seed });
}

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
    if (!isOn(rows.data, header)) throw inTheWay(file, `on ${dataText(header.data)}`, `on ${dataText(rows.data)}`);
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
