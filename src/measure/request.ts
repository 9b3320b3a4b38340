import type { WeightFormat } from "../models/weights.ts";
import type { ChooseBy } from "../record/run.ts";
import type { Quoting } from "../tasks/read/table.ts";
import type { BackendName } from "../tensor/backend.ts";
import type { Rounding } from "../tensor/source.ts";

/** A setting of methods: one value for all, or one for each method that is named, whatever its case and punctuation: { mezo: 1e-4 }. */
export type PerMethodSetting = number | Readonly<Record<string, number>>;

/** What to measure and how, as the command line and cells say it: by the same names, and with the same defaults for what is left out. */
export interface MeasureOptions {
  /** A folder in Hugging Face layout, a hub id or a bundled model; opt-reviews by default. */
  readonly model?: string;
  /** A branch, a tag or a commit of a model on the hub; "main" by default. */
  readonly revision?: string;
  /** A task's name, several, or "all" for those that the model has prompts for; SST-2 by default. */
  readonly task?: string | readonly string[];
  /** A data folder or file; by default the rows that the kit has for the task. */
  readonly data?: string;
  readonly encoding?: string;
  readonly quoting?: Quoting;
  /** As the paper's tables print them; all by default. */
  readonly methods?: readonly string[];
  readonly seeds?: readonly number[];
  readonly train?: number;
  readonly dev?: number;
  readonly test?: number;
  /** Training examples of each class, as the paper's RoBERTa experiments draw them. */
  readonly k?: number;
  /** Demonstrations for in-context learning. */
  readonly shots?: number;
  readonly demonstrations?: "fresh" | "fixed";
  readonly steps?: PerMethodSetting;
  readonly batchSize?: PerMethodSetting;
  readonly lr?: PerMethodSetting;
  readonly eps?: PerMethodSetting;
  readonly checkpointing?: boolean;
  /** What the best step is chosen by on the dev part; by default as the authors do for the kind of model. */
  readonly chooseBy?: ChooseBy;
  readonly weightDecay?: number;
  readonly schedule?: "constant" | "linear";
  readonly noise?: "gaussian" | "rademacher";
  readonly begin?: "mezo" | "config";
  readonly backend?: "auto" | BackendName;
  readonly threads?: number;
  /** What the model's matrices are kept in. */
  readonly weights?: WeightFormat;
  /** What becomes of changes that are smaller than 16 bits can hold. */
  readonly rounding?: Rounding;
  /** Whether a tied output matrix gets weights of its own. */
  readonly untied?: boolean;
  /** The folder of the run files. */
  readonly out?: string;
  /** The folder of the pictures. */
  readonly figures?: string;
  /** Few examples and steps: a look at everything in under a minute, whose numbers mean nothing. */
  readonly smoke?: boolean;
  /** Keeps finished runs of equal settings, and resumes those that were cut short. */
  readonly resume?: boolean;
}

/** Values by method as its table names it, and under "all" that of the others. */
export type PerMethod = Readonly<Record<string, number>>;

/** The settings that methods have values of their own for. */
export type PerMethodName = "steps" | "batchSize" | "lr" | "eps";

/** The options that always have a value. */
export type Settled =
  | ("methods" | "seeds" | "test" | "shots" | "demonstrations" | "begin" | "checkpointing" | "weightDecay")
  | ("schedule" | "noise" | "backend" | "weights" | "rounding" | "untied" | "out" | "figures" | "smoke" | "resume");

/** `MeasureOptions` once they are checked and have their defaults: methods by their own names, folders as absolute paths. */
export interface MeasureRequest
  extends Omit<MeasureOptions, Settled | PerMethodName | "task">,
    Required<Pick<MeasureOptions, Settled>>,
    Readonly<Partial<Record<PerMethodName, PerMethod>>> {
  /** Names of tasks, or "all" for those that the model has prompts for. */
  readonly tasks: readonly string[] | "all";
}

/** The value for a method, where one was given. */
export function valueFor(values: PerMethod | undefined, method: string): number | undefined {
  return values?.[method] ?? values?.all;
}
