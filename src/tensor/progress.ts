/** What a long piece of work reports while it runs: what it is, how much of it is done, and the numbers of the moment. */
export interface ProgressEvent {
  /** The work: a method as a table names it, "MeZO (LoRA)", or what is done, "downloading". */
  readonly label: string;
  /** The part of it that is counted, such as "dev" while the dev rows are scored; absent for its steps. */
  readonly part?: string;
  /** Of `total` equal pieces: steps, examples, bytes. */
  readonly done: number;
  readonly total: number;
  /** The training loss around the current weights, in nats: a mean over the last steps. */
  readonly loss?: number;
  /** The latest score on the dev part, a share of 1. */
  readonly dev?: number;
  /** The file that is read or downloaded. */
  readonly file?: string;
  /** The seconds until a hub that does not answer is asked again. */
  readonly waitSeconds?: number;
}

/** Takes what a long piece of work reports. */
export type Progress = (event: ProgressEvent) => void;
