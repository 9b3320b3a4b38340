import Table from "cli-table3";
import type { Run } from "../experiment/run.ts";
import { percent } from "./format.ts";
import { methodsOf } from "./methods.ts";
import { paperFor } from "./paper.ts";
import { risenLossLines } from "./risenLoss.ts";
import { headline, summarize } from "./summary.ts";

/**
 * Runs of several tasks in the layout of the paper's Table 1: a row a method and a column a task, each cell the mean over the seeds
 * with its standard error and, where the paper has it, the paper's number below. Throws as `summarize` does.
 */
export function taskTable(runs: readonly Run[]): string {
  const tasks = [...new Set(runs.map(({ header }) => header.task))];
  const grid = new Table({
    head: ["method", ...tasks],
    colAligns: ["left", ...tasks.map(() => "right" as const)],
    style: { head: [], border: [], compact: true },
  });
  grid.push(...factRows(runs, tasks), ...methodsOf(runs).map((method) => [method, ...cells(runs, tasks, method)]));
  return [grid.toString(), caption(runs)].join("\n");
}

function ofTask(runs: readonly Run[], task: string): Run[] {
  return runs.filter(({ header }) => header.task === task);
}

/** The metric of each task, and the rows of its parts. */
function factRows(runs: readonly Run[], tasks: readonly string[]): string[][] {
  const headers = tasks.map((task) => headline(ofTask(runs, task)));
  return [
    ["metric", ...headers.map(({ metric }) => metric)],
    ["rows", ...headers.map(({ split }) => `${split.train}/${split.dev}/${split.test}`)],
  ];
}

function cells(runs: readonly Run[], tasks: readonly string[], method: string): string[] {
  return tasks.map((task) => {
    const own = ofTask(runs, task);
    const summary = summarize(own).find((one) => one.method === method);
    const paper = paperFor(own).scores[method];
    const ours = summary ? `${percent(summary.score)} ± ${percent(summary.standardError)}` : "–";
    return paper === undefined ? ours : `${ours}\n(${paper.toFixed(1)})`;
  });
}

function caption(runs: readonly Run[]): string {
  const { model, backend } = headline(runs);
  const sources = [...new Set(runs.map(({ header }) => header.data))];
  const samples = sources.some((data) => data.includes("samples"));
  return [
    `In %; ± is one standard error; in brackets ${paperFor(runs).model} in the paper (${paperFor(runs).table}). Rows: train/dev/test. Model ${model}, ${backend} backend.`,
    ...(samples
      ? ["Some tasks were run on the kit's samples, which are not the data set: their scores only show that it runs."]
      : []),
    ...risenLossLines(runs),
  ].join("\n");
}
