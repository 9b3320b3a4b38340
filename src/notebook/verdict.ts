import { isMarked, methods } from "../measure/methods.ts";
import { placeInPaper } from "../measure/paper.ts";
import type { Run } from "../record/run.ts";
import { type MethodSummary, summarize } from "../report/summary.ts";
import { percent } from "../report/table.ts";
import type { Cell } from "./tables.ts";

/** The standard error of a score, over the seeds or over the test rows, whichever is larger: seeds that share a test set say nothing of its rows. */
const errorOf = ({ score, standardError, n }: MethodSummary): number =>
  Math.max(standardError, Math.sqrt((score * (1 - score)) / n[0]));

/** Two standard errors of a score. */
export const noise = (summary: MethodSummary): number => 2 * errorOf(summary);

/** Whether a score is not above the majority class's by more than its noise; unknown, and so false, without a majority class. */
export function isAtChance(summary: MethodSummary, floor: number | undefined): boolean {
  return floor !== undefined && summary.score - floor <= noise(summary);
}

const findFloor = (summaries: readonly MethodSummary[]): MethodSummary | undefined =>
  summaries.find(({ method }) => !isMarked(method));

/** The methods whose score is above the majority class's by more than noise, as `besidePaper` has it; all where no majority class is known. */
export function methodsAboveChance(runs: readonly Run[]): string[] {
  const summaries = summarize(runs);
  const floor = findFloor(summaries)?.score;
  return summaries.filter((one) => isMarked(one.method) && !isAtChance(one, floor)).map(({ method }) => method);
}

/** The methods that leave the model as it is and need no more than its prompts: zero-shot and ICL, calibrated or not. */
const UNTRAINED = methods.filter(({ name }) => /^(Zero-shot|ICL)\b/.test(name)).map(({ name }) => name);

/**
 * A row a task for `frame` and `show`, in the order of Table 1: whether a method is above the best that the model does without training
 * (the best of zero-shot and ICL, calibrated or not, as far as there are runs of them) and above the majority class. It is "yes" where the
 * difference is more than two standard errors of it: each score's is over its seeds or its test rows, whichever is larger, and the two count
 * as independent, which is strict for methods that were scored on the same rows. Missing where there is nothing to compare with. Tasks without
 * the method are left out. Throws as `summarize` does.
 */
export function tasksAboveUntrained(runs: readonly Run[], method: string): Record<string, Cell>[] {
  const tasks = [...new Set(runs.map(({ header }) => header.task))].sort((a, b) => placeInPaper(a) - placeInPaper(b));
  return tasks.flatMap((task) => {
    const summaries = summarize(runs.filter(({ header }) => header.task === task));
    const own = summaries.find((one) => one.method === method);
    return own ? [{ task, ...compareUntrained(own, summaries) }] : [];
  });
}

function compareUntrained(own: MethodSummary, summaries: readonly MethodSummary[]): Record<string, Cell> {
  const rivals = summaries.filter((one) => UNTRAINED.includes(one.method)).sort((a, b) => b.score - a.score);
  const [best] = rivals;
  const floor = findFloor(summaries);
  return {
    "ours, %": percent(own.score),
    "±": percent(errorOf(own)),
    seeds: own.seeds.length,
    "best without training": best ? `${best.method} ${percent(best.score)}` : null,
    compared: rivals.length,
    difference: best ? (100 * (own.score - best.score)).toFixed(1) : null,
    noise: best ? percent(2 * Math.hypot(errorOf(own), errorOf(best))) : null,
    "above it": best ? yesOrNo(own.score - best.score > 2 * Math.hypot(errorOf(own), errorOf(best))) : null,
    "above the majority": floor ? yesOrNo(!isAtChance(own, floor.score)) : null,
  };
}

const yesOrNo = (is: boolean): string => (is ? "yes" : "no");
