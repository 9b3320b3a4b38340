import { basename, join, resolve } from "node:path";
import type { Method } from "../experiment/run.ts";
import { BUNDLED_MODEL } from "../models/load.ts";
import { findTask } from "../tasks/index.ts";
import type { Progress } from "../tensor/progress.ts";
import type { CliOptions } from "./options.ts";

/** One run of one method with one seed, and the file it is written to. */
export interface Job {
  readonly method: Method;
  readonly seed: number;
  readonly file: string;
  readonly options: CliOptions;
}

/** What the process of a run tells the one that started it; the run itself is in the job's file. */
export type Message =
  | { readonly progress: Parameters<Progress>[0] }
  | { readonly done: true }
  | { readonly error: string };

/** Returns the runs that a command asks for, a method's seeds together. Throws a KitError for an unknown task. */
export function jobsOf(options: CliOptions): Job[] {
  const task = findTask(options.task).name;
  const model = basename(resolve(options.model ?? BUNDLED_MODEL));
  const named = (method: string, seed: number): string => `${task}-${model}-${method}-seed${seed}.jsonl`.toLowerCase();
  return options.methods.flatMap((method) =>
    options.seeds.map((seed) => ({ method, seed, options, file: join(options.out, named(method, seed)) })),
  );
}
