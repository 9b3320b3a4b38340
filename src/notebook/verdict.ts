import { isMarked, methods } from "../measure/methods.ts";
import { placeInPaper } from "../measure/paper.ts";
import type { Run } from "../record/run.ts";
import { pairedDifference } from "../report/paired.ts";
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
 * difference is more than two standard errors of it: over the rows and seeds that both were tested on, where the run files have the rows'
 * scores ("paired"); else each score's is over its seeds or its test rows, whichever is larger, and the two count as independent, which is strict.
 * Missing where there is nothing to compare with. Tasks without the method are left out. Throws as `summarize` does.
 */
export function tasksAboveUntrained(runs: readonly Run[], method: string): Record<string, Cell>[] {
  const tasks = [...new Set(runs.map(({ header }) => header.task))].sort((a, b) => placeInPaper(a) - placeInPaper(b));
  return tasks.flatMap((task) => {
    const onTask = runs.filter(({ header }) => header.task === task);
    const own = summarize(onTask).find((one) => one.method === method);
    return own ? [{ task, ...compareUntrained(own, onTask) }] : [];
  });
}

function compareUntrained(own: MethodSummary, runs: readonly Run[]): Record<string, Cell> {
  const summaries = summarize(runs);
  const rivals = summaries.filter((one) => UNTRAINED.includes(one.method)).sort((a, b) => b.score - a.score);
  const floor = findFloor(summaries);
  return {
    "ours, %": percent(own.score),
    "±": percent(errorOf(own)),
    seeds: own.seeds.length,
    ...compareBest(own, rivals[0], runs),
    compared: rivals.length,
    "above the majority": floor ? yesOrNo(!isAtChance(own, floor.score)) : null,
  };
}

function compareBest(own: MethodSummary, best: MethodSummary | undefined, runs: readonly Run[]): Record<string, Cell> {
  const names = ["best without training", "difference", "noise", "paired", "above it"];
  if (!best) return Object.fromEntries(names.map((name) => [name, null]));
  const of = ({ method }: MethodSummary): Run[] => runs.filter(({ header }) => header.method === method);
  const paired = pairedDifference(of(own), of(best));
  const error = paired?.standardError ?? Math.hypot(errorOf(own), errorOf(best));
  const difference = paired?.difference ?? own.score - best.score;
  return {
    "best without training": `${best.method} ${percent(best.score)}`,
    ...{ difference: percent(difference), noise: percent(2 * error), paired: yesOrNo(paired !== undefined) },
    "above it": yesOrNo(difference > 2 * error),
  };
}

const yesOrNo = (is: boolean): string => (is ? "yes" : "no");
