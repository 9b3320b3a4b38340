import type { DataSource, Metric } from "../tasks/task.ts";
import type { FormedProducts } from "../tensor/products.ts";
import type { HalfKind } from "../tensor/source.ts";
import type { Level } from "../tensor/x86/library.ts";

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
  /** How the model's matrices were kept where not in float32. */
  readonly weights?: HalfKind;
  /** Whether the output matrix was a weight of its own, unlike in the base model. */
  readonly untied?: boolean;
  /** A probe's rows of the output matrix; a run that begins from the probe has them in place. */
  readonly head?: ProbedRows;
  readonly backend: string;
  readonly threads: number;
  /** How matrix products were formed; float32 where it is absent. */
  readonly products?: FormedProducts;
  /** The processor's level, by which the last digits of losses differ, but no z and no replayed weight; "none" where it is absent. */
  readonly processor?: Level;
  readonly task: string;
  readonly data: DataSource;
  /** What to know about the parts beside their sizes, such as classes with fewer rows than were asked for. */
  readonly remark?: string;
  readonly split: { readonly train: number; readonly dev: number; readonly test: number };
  readonly metric: Metric;
  /** The form that the model took: text to continue, text with a mask, or none where no model was used. */
  readonly prompts: "autoregressive" | "masked" | "none";
  readonly seed: number;
  /** What drew split and batches, where that was not the run's seed. */
  readonly splitSeed?: number;
  /** As the paper's tables print it. */
  readonly method: string;
  /** What makes the steps, where there are any. */
  readonly tuner?: NamedOptions;
  /** What was trained beside the weights. */
  readonly adapter?: NamedOptions;
  /**
   * How a step's losses beside theta were computed: both sides in one pass and one alone by moving the weights there and back, each side in a pass of
   * its own with the weights as they are, or all by moving them; absent without steps.
   */
  readonly passes?: "pair" | "side" | "sweeps";
  readonly settings: RunSettings;
}

/** What an option can be. */
export type Scalar = string | number | boolean;

/** Options by name. */
export type Options = Readonly<Record<string, Scalar>>;

/** A tuner or an adapter, as a header has it: what makes it again. */
export interface NamedOptions {
  readonly name: string;
  readonly options: Options;
}

/** The settings of a run that are neither its tuner's nor its adapter's; a method has those that it takes. */
export interface RunSettings {
  readonly steps?: number;
  readonly batchSize?: number;
  readonly microBatchSize?: number;
  readonly evaluateEvery?: number;
  readonly chooseBy?: ChooseBy;
  /** Which token texts begin with: "mezo" or "config". */
  readonly begin?: string;
  /** The measure that was made large instead of the loss small. */
  readonly maximize?: string;
  readonly checkpointing?: boolean;
  /** Demonstrations before each example, how they were drawn, and from how many rows. */
  readonly shots?: number;
  readonly draw?: string;
  readonly pool?: number;
  /** Whether what options score without the example was taken off their scores. */
  readonly calibrate?: boolean;
  /** The most frequent answer, by its number. */
  readonly label?: number;
  /** Of a probe: the inverse of its penalty's strength, the folds that chose it, and whether fits were stopped early. */
  readonly C?: number;
  readonly folds?: number;
  readonly earlyStop?: boolean;
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
  /** Each test row's own score, in the part's order: by them runs that were tested on the same rows are compared. */
  readonly rows?: readonly number[];
  /** First 16 hexadecimal digits of the SHA-256 over the trained weights in float32, as they were then. */
  readonly theta?: string;
}

/** What a finished run cost: wall-clock seconds, optimization steps, peak resident memory of its process in bytes. */
export interface Cost {
  readonly seconds: number;
  readonly steps: number;
  readonly peakBytes: number;
  /**
   * Where tensors lie on a GPU: the most bytes of them at once. What the GPU's libraries take for themselves, such as the workspaces of
   * matrix products, is not counted.
   */
  readonly devicePeakBytes?: number;
  /**
   * What the peak was predicted to be, by part, that of the device where there is one; `runtime` is what the process held before a model was
   * loaded, measured, and absent where the peak is a device's.
   */
  readonly predicted?: PredictedBytes & { readonly runtime?: number };
}

/** The record of a run as far as it has come. With the base model it is the whole of the tuned weights. */
export interface UnfinishedRun {
  readonly header: RunHeader;
  readonly steps: readonly StepRecord[];
  readonly scores: readonly Score[];
  /** The run that this one began from, cut where it was left; steps are counted on from there. */
  readonly before?: UnfinishedRun;
}

/** The record of a finished run: the last `test` score is the one that is reported. */
export interface Run extends UnfinishedRun {
  readonly cost: Cost;
}

/** What a run is predicted to hold at its widest moment, in bytes by part; what the process holds without a model comes on top. */
export interface PredictedBytes {
  /** The model's, and an adapter's. */
  readonly weights: number;
  /** Results of a forward pass that are alive at once; for backpropagation all that the backward pass needs again. */
  readonly activations: number;
  /** Copies of weights in use: both sides of the widest matrix, or a matrix of 16 bits in float32; and the best trained ones, where they are kept. */
  readonly temporaries: number;
  readonly gradients: number;
  /** What the tuner keeps from step to step. It lies in the process, so that it is nothing of a GPU's memory. */
  readonly optimizer: number;
}

/** What a run's checkpoint is chosen by on its dev part. */
export type ChooseBy = "loss" | "score";

/** What listens to a run while it happens; the run waits for promises that it gives. */
export interface RunRecorder {
  start(header: RunHeader, before?: UnfinishedRun): void;
  step(step: StepRecord): void;
  score(score: Score): void;
  /** The run has ended by an error: nothing more will come. */
  release?(): void;
}
