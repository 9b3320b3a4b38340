import { isMarked, methodsOf } from "../measure/methods.ts";
import { type PaperColumn, paperFor, placeInPaper } from "../measure/paper.ts";
import type { Run } from "../record/run.ts";
import {
  type MethodSummary,
  mean,
  standardDeviation,
  standardErrorOfMean,
  summarize,
  testScore,
} from "../report/summary.ts";
import { mebibytes, percent } from "../report/table.ts";
import type { Cell } from "./tables.ts";

export { mean };

/** The standard deviation of values, by their number less one; NaN, which `show` prints as a dash, for a single one. */
export const deviation = (values: readonly number[]): number => standardDeviation(values);

/** The standard error of the mean of values; NaN, which `show` prints as a dash, for a single one. */
export const standardError = (values: readonly number[]): number => standardErrorOfMean(values);

/** The test scores in percent of a method's runs, in their order. Throws a KitError for a run without one. */
export function testScores(runs: readonly Run[], method: string): number[] {
  return runs.filter(({ header }) => header.method === method).map((run) => 100 * testScore(run).score);
}

/** A row a method for `frame` and `show`: its mean test score in percent, with the standard error over its runs. */
export function meanScores(runs: readonly Run[]): { method: string; score: number; error: number; seeds: number }[] {
  return methodsOf(runs).map((method) => {
    const scores = testScores(runs, method);
    return { method, score: mean(scores), error: standardError(scores), seeds: scores.length };
  });
}

/**
 * A row a method for `frame` and `show`: our mean score with its standard error beside the paper's, their difference and whether it is
 * inside the noise, and what a run cost. Noise is twice our standard error, over the seeds or over the test rows, whichever is larger: seeds
 * that share a test set say nothing of its rows. A method that is not above the majority class by more than that is "at chance", however near
 * the paper's number may be: it has learnt nothing that a comparison could be about. Throws as `summarize` does.
 */
export function besidePaper(runs: readonly Run[], paper: PaperColumn = paperFor(runs)): Record<string, Cell>[] {
  const summaries = summarize(runs);
  const floor = summaries.find(({ method }) => !isMarked(method))?.score;
  return summaries.map((summary) => ({
    method: summary.method,
    "ours, %": percent(summary.score),
    "±": percent(summary.standardError),
    "paper, %": paper.scores[summary.method],
    ...comparison(summary, paper.scores[summary.method], floor),
    seeds: summary.seeds.length,
    ...costs(summary),
  }));
}

/**
 * A row a task for `frame` and `show`: one method on the tasks that runs are of, in the order of Table 1, beside the majority class and the
 * paper. Tasks without the method are left out. Throws as `summarize` does.
 */
export function tasksBesidePaper(runs: readonly Run[], method: string): Record<string, Cell>[] {
  const tasks = [...new Set(runs.map(({ header }) => header.task))].sort((a, b) => placeInPaper(a) - placeInPaper(b));
  return tasks.flatMap((task) => {
    const rows = besidePaper(runs.filter(({ header }) => header.task === task));
    const [floor, own] = ["Majority", method].map((name) => rows.find((row) => row.method === name));
    if (!own) return [];
    const { method: _, "ours, %": ours, "±": error, ...rest } = own;
    return [{ task, "majority, %": floor?.["ours, %"] ?? null, "ours, %": ours, "±": error, ...rest }];
  });
}

function comparison(summary: MethodSummary, paper: number | undefined, floor?: number): Record<string, Cell> {
  if (paper === undefined) return { difference: null, "inside noise": null };
  const difference = 100 * summary.score - paper;
  const signed = `${difference < 0 ? "−" : "+"}${Math.abs(difference).toFixed(1)}`;
  const isInside = Math.abs(difference) <= 100 * noise(summary);
  return { difference: signed, "inside noise": isAtChance(summary, floor) ? "at chance" : isInside ? "yes" : "no" };
}

/** Two standard errors of a score, over the seeds or over the test rows, whichever is larger. */
function noise({ score, standardError, n }: MethodSummary): number {
  return 2 * Math.max(standardError, Math.sqrt((score * (1 - score)) / n[0]));
}

/** Whether a score is not above the majority class's by more than its noise; unknown, and so false, without a majority class. */
function isAtChance(summary: MethodSummary, floor: number | undefined): boolean {
  return floor !== undefined && summary.score - floor <= noise(summary);
}

function costs({ method, steps, seconds, peakBytes }: MethodSummary): Record<string, Cell> {
  if (!isMarked(method)) return { steps: null, "s a run": null, "peak MiB": null };
  return { steps: Math.round(steps), "s a run": seconds.toFixed(1), "peak MiB": Math.round(mebibytes(peakBytes)) };
}

/** The methods whose score is above the majority class's by more than noise, as `besidePaper` has it; all where no majority class is known. */
export function methodsAboveChance(runs: readonly Run[]): string[] {
  const summaries = summarize(runs);
  const floor = summaries.find(({ method }) => !isMarked(method))?.score;
  return summaries.filter((one) => isMarked(one.method) && !isAtChance(one, floor)).map(({ method }) => method);
}
