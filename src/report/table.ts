import Table from "cli-table3";
import type { Run } from "../experiment/run.ts";
import { errorCaption, mebibytes, percent, whole } from "./format.ts";
import { isMarked } from "./methods.ts";
import { type PaperColumn, paperFor } from "./paper.ts";
import { risenLossLines } from "./risenLoss.ts";
import { headline, type MethodSummary, summarize } from "./summary.ts";

/**
 * The runs of one task as a table for the terminal, one row a method, beside
 * what the paper reports, with a caption that says what ± and n are. All numbers are means over the seeds.
 * Throws as `summarize` does.
 */
export function table(runs: readonly Run[], paper: PaperColumn = paperFor(runs)): string {
  const summaries = summarize(runs);
  const head = headings(runs, summaries, paper);
  const grid = new Table({
    head,
    colAligns: head.map((_, index) => (index === 0 ? "left" : "right")),
    style: { head: [], border: [] },
  });
  grid.push(...summaries.map((summary) => cells(summary, paper, withPrediction(summaries))));
  return [grid.toString(), ...captionLines(runs, summaries, paper)].join("\n");
}

/** The same table and caption in Markdown, for the README. */
export function markdownTable(runs: readonly Run[], paper: PaperColumn = paperFor(runs)): string {
  const summaries = summarize(runs);
  const head = headings(runs, summaries, paper);
  const rule = head.map((_, index) => (index === 0 ? "---" : "---:"));
  const rows = [head, rule, ...summaries.map((summary) => cells(summary, paper, withPrediction(summaries)))];
  return [...rows.map((row) => `| ${row.join(" | ")} |`), "", captionLines(runs, summaries, paper).join(" ")].join(
    "\n",
  );
}

function headings(runs: readonly Run[], summaries: readonly MethodSummary[], paper: PaperColumn): string[] {
  const memory = withPrediction(summaries) ? ["peak MiB", "predicted"] : ["peak MiB"];
  return ["method", `test ${headline(runs).metric}, %`, "steps", "seconds", ...memory, `paper ${paper.model}`];
}

/** Whether every method that took memory says what it was predicted to take. */
function withPrediction(summaries: readonly MethodSummary[]): boolean {
  return summaries.every(({ method, predictedBytes }) => !isMarked(method) || predictedBytes !== undefined);
}

function cells(summary: MethodSummary, paper: PaperColumn, predicted: boolean): string[] {
  const costs = costsOf(summary, predicted);
  return [
    summary.method,
    `${percent(summary.score)} ± ${percent(summary.standardError)}`,
    ...(isMarked(summary.method) ? costs : costs.map(() => "–")),
    paper.scores[summary.method]?.toFixed(1) ?? "–",
  ];
}

/** What the runs took; looking up the majority class takes nothing. */
function costsOf({ steps, seconds, peakBytes, predictedBytes = 0 }: MethodSummary, predicted: boolean): string[] {
  const memory = predicted ? [peakBytes, predictedBytes] : [peakBytes];
  return [whole(steps), seconds.toFixed(1), ...memory.map((bytes) => whole(mebibytes(bytes)))];
}

function captionLines(runs: readonly Run[], summaries: readonly MethodSummary[], paper: PaperColumn): string[] {
  const { task, model, weights, untied, split, backend, threads, data } = headline(runs);
  const parts = `${whole(split.train)} train, ${whole(split.dev)} dev, ${whole(split.test)} test rows`;
  const kept = [
    ...(untied ? ["output matrix untied"] : []),
    ...(weights === undefined ? [] : [`weights in ${weights}`]),
  ];
  return [
    `${errorCaption(summaries)}.`,
    `${task}, model ${model}${kept.length === 0 ? "" : ` (${kept.join(", ")})`}, ${backend} backend, ${threads} ${threads === 1 ? "thread" : "threads"}; ${parts} from ${data}.`,
    ...(Object.keys(paper.scores).length > 0
      ? [`Paper: ${paper.model} (${paper.table}), ${paper.runs} on the paper's own ${paper.task} rows.`]
      : []),
    ...risenLossLines(runs),
  ];
}
