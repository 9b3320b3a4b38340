import type { WeightFormat } from "../models/weights.ts";
import type { ChooseBy } from "../record/run.ts";
import type { Quoting } from "../tasks/read/table.ts";
import type { BackendName } from "../tensor/backend.ts";
import type { Rounding } from "../tensor/source.ts";

/** Values that the command line gives for methods: one for all (under "all"), or one for each that is named. */
export type PerMethod = Readonly<Record<string, number>>;

/** The value for a method, where one was given. */
export function valueFor(values: PerMethod | undefined, method: string): number | undefined {
  return values?.[method] ?? values?.all;
}

/** What is to be measured and how. */
export interface CliOptions {
  readonly model: string | undefined;
  /** Names of tasks, or "all" for those that the model has prompts for. */
  readonly tasks: readonly string[] | "all";
  readonly data: string | undefined;
  readonly encoding: string | undefined;
  readonly quoting: Quoting | undefined;
  readonly methods: readonly string[];
  readonly seeds: readonly number[];
  readonly train: number | undefined;
  readonly dev: number | undefined;
  readonly test: number;
  /** Training examples of each class, as the paper's RoBERTa experiments draw them. */
  readonly k: number | undefined;
  readonly shots: number;
  readonly demonstrations: "fresh" | "fixed";
  readonly steps: PerMethod | undefined;
  readonly batchSize: PerMethod | undefined;
  readonly lr: PerMethod | undefined;
  readonly eps: PerMethod | undefined;
  readonly checkpointing: boolean;
  /** What the best step is chosen by on the dev part, where it is not the authors' choice for the kind of model. */
  readonly chooseBy: ChooseBy | undefined;
  readonly weightDecay: number;
  readonly schedule: "constant" | "linear";
  readonly noise: "gaussian" | "rademacher";
  readonly begin: "mezo" | "config";
  readonly backend: "auto" | BackendName;
  readonly threads: number | undefined;
  /** What the model's matrices are kept in, and what becomes of changes that are smaller than its numbers can hold. */
  readonly weights: WeightFormat;
  readonly rounding: Rounding;
  /** Whether a tied output matrix gets weights of its own. */
  readonly untied: boolean;
  readonly out: string;
  readonly figures: string;
  readonly smoke: boolean;
  /** Keeps what is finished, and goes on with runs that were cut short. */
  readonly resume: boolean;
}
