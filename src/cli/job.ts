import type { Method, Run } from "../experiment/run.ts";
import type { Progress } from "../tensor/progress.ts";
import type { CliOptions } from "./options.ts";

/** One run of one method with one seed, and the file it is written to. */
export interface Job {
  readonly method: Method;
  readonly seed: number;
  readonly file: string;
  readonly options: CliOptions;
}

/** What the process of a run tells the one that started it. */
export type Message =
  | { readonly progress: Parameters<Progress>[0] }
  | { readonly run: Run }
  | { readonly error: string };
