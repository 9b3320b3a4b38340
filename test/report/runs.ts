import type { Run } from "../../src/record/run.ts";

/** What a made-up run varies. */
export interface MadeUp {
  readonly seed?: number;
  readonly mebibytes?: number;
  readonly steps?: number;
  readonly seconds?: number;
}

/** A made-up finished run on 1,000 test rows. */
export function madeUpRun(
  method: string,
  accuracy: number,
  { seed = 0, mebibytes = 400, steps = 0, seconds = 4 }: MadeUp = {},
): Run {
  const n = 1000;
  const standardError = Math.sqrt((accuracy * (1 - accuracy)) / n);
  return {
    header: {
      format: 3,
      kit: "0.1.0",
      model: "tiny",
      weightsHash: "0",
      backend: "native",
      threads: 2,
      task: "SST-2",
      data: { files: ["rows.tsv"], sha256: "0" },
      split: { train: 1000, dev: 500, test: n },
      metric: "accuracy",
      prompts: method === "Majority" ? "none" : "autoregressive",
      seed,
      method,
      settings: {},
    },
    steps: [],
    scores: [
      { on: "test", step: 0, score: 0.1, standardError: 0.1, n },
      { on: "test", step: steps, score: accuracy, standardError, n },
      { on: "dev", step: steps, score: 0.2, standardError: 0.1, n: 500 },
    ],
    cost: { seconds, steps, peakBytes: mebibytes * 2 ** 20 },
  };
}

/** One run a method, in an order unlike the table's. */
export const oneSeed: readonly Run[] = [
  madeUpRun("MeZO", 0.9, { mebibytes: 431, steps: 1500, seconds: 121.44 }),
  madeUpRun("Majority", 0.495, { mebibytes: 210, seconds: 0 }),
  madeUpRun("ICL", 0.6, { mebibytes: 455, seconds: 31 }),
  madeUpRun("Zero-shot", 0.55, { mebibytes: 402 }),
];

/** Two runs of one method that score 80 % and 90 %. */
export const twoSeeds: readonly Run[] = [
  madeUpRun("MeZO", 0.8, { seed: 0, mebibytes: 400, steps: 100, seconds: 10 }),
  madeUpRun("MeZO", 0.9, { seed: 1, mebibytes: 420, steps: 100, seconds: 20 }),
];
