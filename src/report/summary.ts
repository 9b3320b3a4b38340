import { KitError } from "../error.ts";
import { totalBytes } from "../experiment/memoryPlan.ts";
import type { Run, RunHeader, Score } from "../experiment/run.ts";
import { checkComparable } from "./comparable.ts";
import { isMarked, methodsOf } from "./methods.ts";

/** One method over its runs: what a row of the table and a mark of the figure show. */
export interface MethodSummary {
  readonly method: string;
  readonly seeds: readonly number[];
  /** Mean over the runs of the score on the test part, between 0 and 1. */
  readonly score: number;
  /** Binomial for one run; for several, their standard deviation over the root of their number. */
  readonly standardError: number;
  /** Test rows of a run: the fewest and the most. */
  readonly n: readonly [number, number];
  /** Mean optimization steps and wall-clock seconds of a run. */
  readonly steps: number;
  readonly seconds: number;
  /** Mean over the runs of the peak of resident memory, in bytes. */
  readonly peakBytes: number;
  /** Mean over the runs of what the peak was predicted to be; absent where a run does not say. */
  readonly predictedBytes?: number;
}

/** One summary a method, in the order of the paper's tables; throws where a run has no test score or runs do not belong together. */
export function summarize(runs: readonly Run[]): MethodSummary[] {
  checkComparable(runs);
  return methodsOf(runs).map((method) =>
    summaryOf(
      method,
      runs.filter((run) => run.header.method === method),
    ),
  );
}

/** The header that speaks for all the runs: that of the first with a model, since the majority class has none. */
export function headline(runs: readonly Run[]): RunHeader {
  return (runs.find(({ header }) => isMarked(header.method)) ?? runs[0]!).header;
}

/** The last score of a run on its test part: the one that is reported. */
export function testScore(run: Run): Score {
  const score = run.scores.findLast(({ on }) => on === "test");
  if (score) return score;
  throw new KitError(
    `The run of ${run.header.method} with seed ${run.header.seed} has no test score; run it to its end.`,
  );
}

function summaryOf(method: string, runs: readonly Run[]): MethodSummary {
  const scores = runs.map(testScore);
  const rows = scores.map(({ n }) => n);
  const values = scores.map(({ score }) => score);
  const predicted = runs.flatMap(({ cost }) => (cost.predicted ? [totalBytes(cost.predicted)] : []));
  return {
    method,
    seeds: runs.map(({ header }) => header.seed),
    score: mean(values),
    standardError: scores.length === 1 ? scores[0]!.standardError : standardErrorOfMean(values),
    n: [Math.min(...rows), Math.max(...rows)],
    steps: mean(runs.map(({ cost }) => cost.steps)),
    seconds: mean(runs.map(({ cost }) => cost.seconds)),
    peakBytes: mean(runs.map(({ cost }) => cost.peakBytes)),
    ...(predicted.length === runs.length && { predictedBytes: mean(predicted) }),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function standardErrorOfMean(values: readonly number[]): number {
  const center = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - center) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}
