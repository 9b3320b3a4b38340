import type { Metric } from "../tasks/task.ts";
import type { StepResult } from "../tuners/tuner.ts";
import type { PredictedBytes } from "./memoryPlan.ts";

/** What a run did, pinned so that it can be repeated: everything the result depends on. */
export interface RunHeader {
  readonly kit: string;
  readonly model: string;
  readonly weightsHash: string;
  /** How the model's matrices were kept where not in float32: "float16, stochastic rounding". */
  readonly weights?: string;
  readonly backend: string;
  readonly threads: number;
  readonly task: string;
  readonly data: string;
  /** What to know about the parts beside their sizes, such as classes with fewer rows than were asked for. */
  readonly remark?: string;
  readonly split: { readonly train: number; readonly dev: number; readonly test: number };
  readonly metric: Metric;
  /** The form that the model took: text to continue, text with a mask, or none where no model was used. */
  readonly prompts: "autoregressive" | "masked" | "none";
  readonly seed: number;
  readonly method: string;
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

/** One training step, counted from 0, and its numbers. */
export interface StepRecord extends StepResult {
  readonly step: number;
}

/** A score on one part of the data: the mean of the task's metric, between 0 and 1, its standard error, the rows it was measured on. */
export interface Score {
  readonly on: "dev" | "test";
  /** Steps taken before. */
  readonly step: number;
  readonly score: number;
  readonly standardError: number;
  readonly n: number;
  /** Mean loss, where the method has one. */
  readonly loss?: number;
  /** Share of generated answers that match exactly, beside F1. */
  readonly exactMatch?: number;
}

/** What a finished run cost: wall-clock seconds, optimization steps, peak resident memory of its process in bytes. */
export interface Cost {
  readonly seconds: number;
  readonly steps: number;
  readonly peakBytes: number;
  /** What the peak was predicted to be, by part; `runtime` is what the process held before a model was loaded, measured. */
  readonly predicted?: PredictedBytes & { readonly runtime: number };
}

/** The record of one run: the last `test` score is the one that is reported. */
export interface Run {
  readonly header: RunHeader;
  readonly steps: readonly StepRecord[];
  readonly scores: readonly Score[];
  readonly cost: Cost;
}
