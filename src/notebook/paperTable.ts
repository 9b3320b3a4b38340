import type { Run } from "../experiment/run.ts";
import { percent } from "../report/format.ts";
import { isMarked } from "../report/methods.ts";
import { type PaperColumn, paperFor, placeInPaper } from "../report/paper.ts";
import { type MethodSummary, summarize } from "../report/summary.ts";
import type { Cell } from "./frame.ts";

const MIB = 2 ** 20;

/**
 * A row a method for `frame` and `show`: our mean score with its standard error beside the paper's, their difference and whether it is
 * inside the noise (twice our standard error, over the seeds or over the test rows, whichever is larger: seeds that share a test set say
 * nothing of its rows), and what a run cost. Throws as `summarize` does.
 */
export function besidePaper(runs: readonly Run[], paper: PaperColumn = paperFor(runs)): Record<string, Cell>[] {
  return summarize(runs).map((summary) => ({
    method: summary.method,
    "ours, %": percent(summary.score),
    "±": percent(summary.standardError),
    "paper, %": paper.scores[summary.method],
    ...comparison(summary, paper.scores[summary.method]),
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

function comparison(summary: MethodSummary, paper: number | undefined): Record<string, Cell> {
  if (paper === undefined) return { difference: null, "inside noise": null };
  const { score, standardError, n } = summary;
  const difference = 100 * score - paper;
  const noise = Math.max(standardError, Math.sqrt((score * (1 - score)) / n[0]));
  const signed = `${difference < 0 ? "−" : "+"}${Math.abs(difference).toFixed(1)}`;
  return { difference: signed, "inside noise": Math.abs(difference) <= 200 * noise ? "yes" : "no" };
}

function costs({ method, steps, seconds, peakBytes }: MethodSummary): Record<string, Cell> {
  if (!isMarked(method)) return { steps: null, "s a run": null, "peak MiB": null };
  return { steps: Math.round(steps), "s a run": seconds.toFixed(1), "peak MiB": Math.round(peakBytes / MIB) };
}
