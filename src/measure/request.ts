import type { PrefixInit } from "../adapters/prefix.ts";
import type { WeightFormat } from "../models/weights.ts";
import type { ChooseBy } from "../record/run.ts";
import type { Quoting } from "../tasks/read/table.ts";
import type { BackendName } from "../tensor/backend.ts";
import type { Products } from "../tensor/products.ts";
import type { Rounding } from "../tensor/source.ts";

/** A setting of methods: one value for all, or one for each method that is named, whatever its case and punctuation: { mezo: 1e-4 }. */
export type PerMethodSetting = number | Readonly<Record<string, number>>;

/** A measure that can be made large, as command lines name it. */
export type Maximized = "accuracy" | "f1" | "exact-match";

/** What to measure and how, as the command line and cells say it: by the same names, and with the same defaults for what is left out. */
export interface MeasureOptions {
  /** A folder in Hugging Face layout, a hub id or a bundled model; opt-reviews by default. */
  readonly model?: string;
  /** A branch, a tag or a commit of a model on the hub; "main" by default. */
  readonly revision?: string;
  /** A task's name, several, or "all" for those that the model has prompts for; SST-2 by default. */
  readonly task?: string | readonly string[];
  /** A data folder or file, or a data set on the hub, "hf:stanfordnlp/sst2"; by default the rows that the kit has for the task. */
  readonly data?: string;
  readonly encoding?: string;
  readonly quoting?: Quoting;
  /** As the paper's tables print them; all by default. */
  readonly methods?: readonly string[];
  readonly seeds?: readonly number[];
  /** Draws the split and the batches of all seeds, which then differ in z, and an adapter in its first weights; by default each seed draws its own. */
  readonly splitSeed?: number;
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
  /** Examples that are run at once, where that is less than a batch. */
  readonly microBatchSize?: number;
  /** Steps between two scores of the dev part; by default a fifth of all, or a tenth with masked models. */
  readonly evaluateEvery?: number;
  /** What MeZO makes large in place of the task's loss: no gradient is needed (Section 3.3). */
  readonly maximize?: Maximized;
  /** LoRA's, as PEFT names them: 8, 16, the query and value projections, alpha / rank by default. */
  readonly rank?: number;
  readonly alpha?: number;
  /** Ends of the names of the linear maps that LoRA adapts, separated by commas, or "all-linear". */
  readonly targets?: string;
  /** Whether corrections are multiplied by alpha / √rank in place of alpha / rank. */
  readonly rslora?: boolean;
  readonly prefixLength?: number;
  readonly prefixInit?: PrefixInit;
  readonly checkpointing?: boolean;
  /** What the best step is chosen by on the dev part; by default as the authors do for the kind of model. */
  readonly chooseBy?: ChooseBy;
  readonly weightDecay?: number;
  readonly schedule?: "constant" | "linear";
  readonly noise?: "gaussian" | "rademacher";
  readonly begin?: "mezo" | "config";
  readonly backend?: "auto" | BackendName;
  readonly threads?: number;
  /** How the native backend forms matrix products; by default as this processor does best. */
  readonly products?: Products;
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
