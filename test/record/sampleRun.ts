import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Run, Score, StepRecord } from "../../src/record/run.ts";

/** A new empty folder. */
export const scratch = (): string => mkdtempSync(join(tmpdir(), "runs-"));
export const EPS = 1e-3;

/** A step with losses and an estimate that need all their digits. */
export const step = (n: number): StepRecord => {
  const [plus, minus] = [0.6428023335338795 + Math.sin(n) / 7, 0.6278265251514611 + Math.cos(n) / 9];
  return { step: n, losses: [plus, minus], projectedGrad: Math.fround((plus - minus) / (2 * EPS)) };
};
const ROWS = [1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1];

/** A score after a number of steps, on the test part row by row. */
export const score = (on: "dev" | "test", at: number): Score => ({
  on,
  step: at,
  score: 0.75,
  standardError: 0.1,
  n: ROWS.length,
  ...(on === "test" && { rows: ROWS }),
});
/** A finished run of three steps. */
export const run: Run = {
  header: {
    format: 3,
    kit: "0.1.0",
    noise: "philox4x32-10 box-muller 1",
    model: "tiny",
    weightsHash: "none",
    backend: "native",
    threads: 1,
    task: "SST-2",
    data: { files: ["rows.csv"], sha256: "0123456789ab", rows: 48 },
    split: { train: 24, dev: 12, test: 12 },
    metric: "accuracy",
    prompts: "autoregressive",
    seed: 1,
    method: "MeZO",
    tuner: { name: "MeZO", options: { lr: 1e-6, eps: EPS } },
    passes: "pair",
    settings: { begin: "mezo", steps: 3 },
  },
  steps: [step(0), step(1), step(2)],
  scores: [score("dev", 0), score("dev", 2), score("test", 2), score("dev", 3)],
  cost: { seconds: 1.5, steps: 3, peakBytes: 2 ** 20 },
};
