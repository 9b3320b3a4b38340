import { runtimeBytes } from "../tensor/runtime.ts";
import type { EncodedExample } from "../text/prompt.ts";
import { tokensOf } from "./candidateScores.ts";
import { peakBytes } from "./memory.ts";
import { type PredictedBytes, totalBytes } from "./memoryPlan.ts";
import type { Cost } from "./run.ts";
import { EXAMPLES_PER_REPORT } from "./scorer.ts";

/** What a run that began at `started` (performance.now()) has cost; of several predictions the largest is kept. */
export function costOf(started: number, steps: number, predictions: readonly PredictedBytes[]): Cost {
  const widest = predictions.reduce((a, b) => (totalBytes(b) > totalBytes(a) ? b : a));
  const predicted = { ...widest, runtime: runtimeBytes() ?? 0 };
  return { seconds: (performance.now() - started) / 1e3, steps, peakBytes: peakBytes(), predicted };
}

/** Tokens of the longest examples, as many as are run at once in training, or in scoring where no number is given. */
export function longest(examples: readonly EncodedExample[], most: number = EXAMPLES_PER_REPORT): number[] {
  return examples
    .map((example) => example.shared?.ids.length ?? tokensOf(example))
    .sort((a, b) => b - a)
    .slice(0, most);
}
