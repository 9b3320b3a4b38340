import type { Dropped, Metric } from "../tasks/task.ts";
import type { PredictedBytes } from "./memoryPlan.ts";

/** What a run did, pinned so that it can be repeated: everything the result depends on. */
export interface RunHeader {
  /** The version of the file's lines. */
  readonly format: number;
  readonly kit: string;
  /** How z is made of its keys; absent in files of format 1. */
  readonly noise?: string;
  readonly model: string;
  /** The hub's commit, where the model came from there. */
  readonly revision?: string;
  readonly weightsHash: string;
  /** How the model's matrices were kept where not in float32: "float16, stochastic rounding". */
  readonly weights?: string;
  /** Whether the output matrix was a weight of its own, unlike in the base model. */
  readonly untied?: boolean;
  /** A probe's rows of the output matrix; a run that begins from the probe has them in place. */
  readonly head?: ProbedRows;
  readonly backend: string;
  readonly threads: number;
  readonly task: string;
  readonly data: string;
  /** What to know about the parts beside their sizes, such as classes with fewer rows than were asked for. */
  readonly remark?: string;
  /** How many rows of the data were left out, and why; absent where none was, and in files of earlier versions. */
  readonly dropped?: readonly Dropped[];
  readonly split: { readonly train: number; readonly dev: number; readonly test: number };
  readonly metric: Metric;
  /** The form that the model took: text to continue, text with a mask, or none where no model was used. */
  readonly prompts: "autoregressive" | "masked" | "none";
  readonly seed: number;
  /** As the paper's tables print it. */
  readonly method: string;
  /** What makes the steps; "none" where there are none. */
  readonly tuner: string;
  readonly adapter?: string;
  /** How a step's losses were had: both sides in one pass, or by moving the weights there and back. */
  readonly passes: "pair" | "sweeps" | "none";
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

/** Rows of an output matrix that a probe has fitted. */
export interface ProbedRows {
  /** Checkpoint names of the matrix, and of its bias where there is one. */
  readonly weight: string;
  readonly bias?: string;
  /** Token ids: the matrix's rows. */
  readonly answers: readonly number[];
  /** Float32 numbers in base64, little-endian, [answers][width], the bias last of each row where there is one. */
  readonly rows: string;
}

/**
 * One training step, counted from 0: every loss that it asked for, in order (in forward mode each loss's derivative after it), of which the
 * tuner makes the rest again, and the estimate along z, one number or one for each z of the step.
 */
export interface StepRecord {
  readonly step: number;
  readonly losses: readonly number[];
  readonly projectedGrad?: number | readonly number[];
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
  /** First 16 hexadecimal digits of the SHA-256 over the trained weights in float32, as they were then. */
  readonly theta?: string;
}

/** What a finished run cost: wall-clock seconds, optimization steps, peak resident memory of its process in bytes. */
export interface Cost {
  readonly seconds: number;
  readonly steps: number;
  readonly peakBytes: number;
  /** What the peak was predicted to be, by part; `runtime` is what the process held before a model was loaded, measured. */
  readonly predicted?: PredictedBytes & { readonly runtime: number };
}

/** The record of a run as far as it has come. With the base model it is the whole of the tuned weights. */
export interface UnfinishedRun {
  readonly header: RunHeader;
  readonly steps: readonly StepRecord[];
  readonly scores: readonly Score[];
  /** The run that this one was begun from, cut where it was left; steps go on counting from there. */
  readonly before?: UnfinishedRun;
}

/** The record of a finished run: the last `test` score is the one that is reported. */
export interface Run extends UnfinishedRun {
  readonly cost: Cost;
}
