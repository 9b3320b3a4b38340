import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { hashFiles } from "../checkpoints/folder.ts";
import { KitError } from "../error.ts";
import { BUNDLED_MODEL, type OpenModel, openModel } from "../models/load.ts";
import { dataText, shotsName } from "../record/diff.ts";
import { readHeader } from "../record/read.ts";
import type { RunHeader } from "../record/run.ts";
import { findTask, tasks } from "../tasks/index.ts";
import { loadTask } from "../tasks/load.ts";
import type { DataSource, Task, TaskDefinition } from "../tasks/task.ts";
import type { Progress } from "../tensor/progress.ts";
import type { NameOption } from "./makeRequest.ts";
import { findMethod, type Prompts, plainName, trainingMethods } from "./methods.ts";
import type { MeasureRequest } from "./request.ts";
import { chooseSettings } from "./runMethod.ts";

/** Digits of the content's hash in a name. */
const DIGITS = 8;

/** What tells runs of one request apart. */
export interface NamedRun {
  readonly method: string;
  readonly task: string;
  readonly seed: number;
}

/** Where rows come from, and what names say of them: nothing of those that the task has by itself. */
export interface NamedRows {
  readonly data: DataSource;
  readonly name?: string;
}

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

/** "reviews" of "folder/reviews.csv"; of several files, and on the hub, their folder: "nyu-mll-glue-sst2". */
function stem([first = "", ...others]: readonly string[]): string {
  const parts = first.replace(/^hf:/, "").split("/");
  const onHub = first.startsWith("hf:") && parts.slice(0, -1).join("-");
  const name = onHub || (others.length > 0 && parts.length > 1 ? parts.at(-2)! : parts.at(-1)!);
  const plain = name.replace(/\.gz$/i, "").replace(/\.(tsv|csv|jsonl?|parquet|txt)$/i, "");
  return plain.toLowerCase().replace(/[^\p{L}\p{N}._]+/gu, "-");
}

/** The header of a run's file, or of its part where it is under way; undefined where neither can be read. */
export function findHeader(file: string): RunHeader | undefined {
  const path = [file, `${file}.part`].find((each) => existsSync(each));
  return path === undefined ? undefined : readHeader(path);
}

/**
 * Where a run is written. Runs on other rows than the task's own have these in their name; one from before names said so is
 * recognized by its header.
 */
export function runFile(request: MeasureRequest, run: NamedRun, rows: NamedRows | undefined): string {
  const plain = join(request.out, runName(request, run));
  if (rows?.name === undefined || isOn(rows.data, findHeader(plain))) return plain;
  return join(request.out, runName(request, { ...run, task: `${run.task}-${rows.name}` }));
}

const isOn = (data: DataSource, header: RunHeader | undefined): boolean => header?.data.sha256 === data.sha256;

function runName(request: MeasureRequest, { task, method, seed }: NamedRun): string {
  const { weights, untied, splitSeed } = request;
  const split = splitSeed === undefined ? "" : `-split${splitSeed}`;
  const kept = `${untied ? "-untied" : ""}${weights === "float32" ? "" : `-${weights}`}`;
  return `${task}-${modelName(request)}${kept}-${plainName(method)}${split}-seed${seed}.jsonl`.toLowerCase();
}

/** The last name of a model's path or id; on the hub with the revision that was asked for, "opt-125m@refs-pr-7". */
function modelName({ model = BUNDLED_MODEL, revision: option }: MeasureRequest): string {
  const [path, revision] = existsSync(model) ? [model] : [model.split("@")[0]!, option ?? model.split("@")[1]];
  return `${basename(resolve(path))}${revision === undefined ? "" : `@${revision.replaceAll("/", "-")}`}`;
}

/** One run of one method on one task with one seed, and the file it is written to. */
export interface Job extends NamedRun {
  readonly file: string;
  readonly request: MeasureRequest;
}

/** A method that is not run on a task, and why. */
export interface Omission {
  readonly method: string;
  readonly task: string;
  readonly reason: string;
}

/** What a request comes to: its runs, a method's seeds together, and what is left out. */
export interface Plan {
  readonly jobs: readonly Job[];
  readonly omissions: readonly Omission[];
}

/** A plan, and what to know about the rows of its tasks. */
export interface CheckedPlan extends Plan {
  readonly remarks: ReadonlySet<string>;
}

/** The rows of a task under a seed. */
interface DrawnRows extends NamedRows, Pick<Task, "remark"> {
  readonly task: string;
  readonly seed: number;
}

/** A task by name, and which of its rows. */
export interface TaskChoice extends Pick<NamedRun, "task" | "seed"> {
  readonly request: Pick<MeasureRequest, "data" | "encoding" | "quoting" | "train" | "dev" | "k" | "splitSeed"> & {
    readonly test?: number;
  };
}

/** Loads a task with its rows drawn. */
export function drawTask({ task, seed, request }: TaskChoice, onProgress?: Progress): Promise<Task> {
  const { data, encoding, quoting, train, dev, test, k, splitSeed } = request;
  return loadTask(task, { data, encoding, quoting, train, dev, test, k, seed, splitSeed, onProgress });
}

/**
 * Checks all that a request needs before any of it is done, so that what cannot end well does not begin, and plans it. Throws a KitError,
 * in which options have the names that `nameOption` gives them.
 */
export async function makePlan(
  request: MeasureRequest,
  onProgress: Progress,
  nameOption: NameOption = (name) => name,
): Promise<CheckedPlan> {
  const wanted = request.tasks === "all" ? undefined : request.tasks.map((name) => findTask(name));
  const model = await openModel(request.model, { revision: request.revision, untied: request.untied, onProgress });
  const chosen = (wanted ?? tasks).filter((task) => wanted || task[model.prompts] !== undefined);
  for (const task of chosen) checkPrompts(task, model);
  checkWeights(request);
  for (const method of trainingMethods.filter(({ name }) => request.methods.includes(name)))
    method.trainer.tuner(chooseSettings(request, model, method), request);
  const drawn = await drawRows(chosen, request, onProgress);
  checkWritable(request.out, nameOption("out"));
  checkWritable(request.figures, nameOption("figures"));
  const plan = planJobs(request, chosen, model.prompts, drawn);
  if (!request.smoke) checkReplaced(plan.jobs, drawn, { model, outName: nameOption("out") });
  return { ...plan, remarks: new Set(drawn.flatMap(({ task, remark }) => (remark ? [`${task}: ${remark}.`] : []))) };
}

/** The runs of a request on tasks with a kind of model, without those that methods have a `reasonAgainst`; `drawn` says which rows are not the tasks' own. */
export function planJobs(
  request: MeasureRequest,
  chosen: readonly TaskDefinition[],
  prompts: Prompts,
  drawn: readonly DrawnRows[] = [],
): Plan {
  const pairs = chosen.flatMap((task) =>
    request.methods.map((method) => {
      const reason = findMethod(method)?.reasonAgainst?.(task, prompts) ?? reasonAgainstMeasure(method, task, request);
      return { task: task.name, method, reason };
    }),
  );
  const jobs = pairs.flatMap(({ task, method, reason }) =>
    request.seeds.flatMap((seed) => {
      if (reason !== undefined) return [];
      const rows = drawn.find((one) => one.task === task && one.seed === seed);
      return [{ task, method, seed, request, file: runFile(request, { task, method, seed }, rows) }];
    }),
  );
  const omissions = pairs.flatMap(({ reason, ...pair }) => (reason === undefined ? [] : [{ ...pair, reason }]));
  return { jobs, omissions };
}

/** Why a method cannot make large on a task what the request says, where it cannot: FT needs a gradient, and a measure has none. */
function reasonAgainstMeasure(name: string, task: TaskDefinition, { maximize }: MeasureRequest): string | undefined {
  const method = trainingMethods.find((one) => one.name === name);
  if (maximize === undefined || !method) return undefined;
  if (method.trainer.isByGradient) return `it needs a gradient, and ${maximize} has none`;
  return maximize === "accuracy" && task.metric === "F1" ? "its answers are written out: maximize f1" : undefined;
}

/** Draws the rows of each task under each seed, as its runs will. */
async function drawRows(
  chosen: readonly TaskDefinition[],
  request: MeasureRequest,
  onProgress: Progress,
): Promise<DrawnRows[]> {
  const drawn: DrawnRows[] = [];
  for (const { name: task } of chosen) {
    for (const seed of request.seeds) {
      const { data, remark } = await drawTask({ task, seed, request }, onProgress);
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
function checkReplaced(
  jobs: readonly Job[],
  drawn: readonly DrawnRows[],
  { model: { id, checkpoint }, outName }: { readonly model: OpenModel; readonly outName: string },
): void {
  let weightsHash: string | undefined;
  for (const { file, task, seed } of jobs) {
    const header = findHeader(file);
    if (!header) continue;
    const refuse = (is: string, wanted: string): KitError =>
      new KitError(
        `${file} holds a run ${is}, whose place one ${wanted} was to take: name another folder with ${outName}, or move that file away.`,
      );
    const rows = drawn.find((one) => one.task === task && one.seed === seed)!;
    if (header.data.sha256 !== rows.data.sha256)
      throw refuse(`on ${dataText(header.data)}`, `on ${dataText(rows.data)}`);
    if (header.weightsHash === "none") continue;
    weightsHash ??= hashFiles(checkpoint.files);
    if (header.weightsHash !== weightsHash)
      throw refuse(`of ${header.model} ${header.weightsHash}`, `of ${id} ${weightsHash}`);
  }
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
export function checkWeights({ weights, backend }: Pick<MeasureRequest, "weights" | "backend">): void {
  if (weights === "float32" || !["cpu", "wasm"].includes(backend)) return;
  throw new KitError(
    `Weights in ${weights} were asked for, which the ${backend} backend does not keep: choose native, tensorflow or webgpu.`,
  );
}

/** Makes a folder that results go to; throws a KitError where it cannot be written, which names the option that the folder comes from. */
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
