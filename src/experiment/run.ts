/** What a run did, pinned so that it can be repeated: everything the result depends on. */
export interface RunHeader {
  readonly kit: string;
  readonly model: string;
  readonly weightsHash: string;
  readonly backend: string;
  readonly threads: number;
  readonly task: string;
  readonly data: string;
  readonly split: { readonly train: number; readonly dev: number; readonly test: number };
  readonly seed: number;
  readonly method: Method;
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

/** Methods as the paper's tables print them (Table 1). */
export type Method = "Majority" | "Zero-shot" | "ICL" | "MeZO";

/** One MeZO step (Algorithm 1): the two losses, the projected gradient, the learning rate. */
export interface StepRecord {
  readonly step: number;
  readonly projectedGrad: number;
  readonly lr: number;
  readonly lossPlus: number;
  readonly lossMinus: number;
}

/** A score on one part of the data: share of right answers, its binomial standard error, the rows it was measured on, and, where the method has one, the mean loss. */
export interface Score {
  readonly on: "dev" | "test";
  /** Steps taken before. */
  readonly step: number;
  readonly accuracy: number;
  readonly standardError: number;
  readonly n: number;
  readonly loss?: number;
}

/** What a finished run cost: wall-clock seconds, optimization steps, peak resident memory of its process in bytes. */
export interface Cost {
  readonly seconds: number;
  readonly steps: number;
  readonly peakBytes: number;
}

/** The record of one run: the last `test` score is the one that is reported. */
export interface Run {
  readonly header: RunHeader;
  readonly steps: readonly StepRecord[];
  readonly scores: readonly Score[];
  readonly cost: Cost;
}
