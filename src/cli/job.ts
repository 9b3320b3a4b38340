import { basename, join, resolve } from "node:path";
import { contentOf } from "../experiment/dataIdentity.ts";
import type { RunHeader } from "../experiment/run.ts";
import { BUNDLED_MODEL } from "../models/load.ts";
import { loadTask } from "../tasks/load.ts";
import type { Task } from "../tasks/task.ts";
import type { Progress } from "../tensor/progress.ts";
import { headerAt } from "./names.ts";
import type { CliOptions } from "./options.ts";

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

const isOn = (data: string, header: RunHeader | undefined): boolean =>
  header !== undefined && contentOf(header.data) === contentOf(data);

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
