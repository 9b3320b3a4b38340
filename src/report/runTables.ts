import { isMarked, listMethods } from "../measure/methods.ts";
import { type PaperColumn, paperFor } from "../measure/paper.ts";
import { dataText, weightsText } from "../record/diff.ts";
import type { Run, RunHeader } from "../record/run.ts";
import { levelNames } from "../tensor/x86/library.ts";
import { pairedLines } from "./paired.ts";
import { shownPeak } from "./peak.ts";
import { headline, type MethodSummary, risenLossLines, summarize } from "./summary.ts";
import { mebibytes, numberColumns, percent, type Table, toMarkdown, toTerminal, whole } from "./table.ts";

/** One line on what ± and n are in these summaries: binomial for one run, of the mean over seeds for several. */
export function errorCaption(summaries: readonly MethodSummary[]): string {
  const several = summaries.filter(({ seeds }) => seeds.length > 1);
  const single = summaries.filter(({ seeds }) => seeds.length === 1);
  const kinds = [
    ...(several.length > 0
      ? [`± standard error of the mean over ${seedCounts(several)} seeds${only(several, single)}`]
      : []),
    ...(single.length > 0 ? [`± binomial standard error of one run${only(single, several)}`] : []),
  ];
  return `${kinds.join("; ")}; n = ${testRows(summaries)} test rows${several.length > 0 ? " each" : ""}`;
}

/** Names the methods that a kind of error belongs to, where there are others. */
function only(own: readonly MethodSummary[], others: readonly MethodSummary[]): string {
  return others.length === 0 ? "" : ` (${own.map(({ method }) => method).join(", ")})`;
}

function seedCounts(summaries: readonly MethodSummary[]): string {
  return range(summaries.map(({ seeds }) => seeds.length));
}

function testRows(summaries: readonly MethodSummary[]): string {
  return range(summaries.flatMap(({ n }) => n));
}

function range(values: readonly number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? whole(low) : `${whole(low)} to ${whole(high)}`;
}

/**
 * The runs of one task as a table for the terminal, one row a method, beside
 * what the paper reports, with a caption that says what ± and n are. All numbers are means over the seeds.
 * Throws as `summarize` does.
 */
export function table(runs: readonly Run[], paper: PaperColumn = paperFor(runs)): string {
  return toTerminal(methodTable(runs, paper));
}

/** The same table and caption in Markdown, for the README. */
export function markdownTable(runs: readonly Run[], paper: PaperColumn = paperFor(runs)): string {
  return toMarkdown(methodTable(runs, paper));
}

function methodTable(runs: readonly Run[], paper: PaperColumn): Table {
  const summaries = summarize(runs);
  const predicted = hasPredictions(summaries);
  const memory = [shownPeak(runs).heading, ...(predicted ? ["predicted"] : [])];
  return {
    columns: numberColumns(headings(headline(runs), memory, paper)),
    rows: summaries.map((summary) => methodCells(summary, paper, predicted)),
    caption: captionLines(runs, summaries, paper),
  };
}

function headings({ metric }: RunHeader, memory: readonly string[], paper: PaperColumn): string[] {
  return ["method", `test ${metric}, %`, "steps", "seconds", ...memory, `paper ${paper.model}`];
}

/** Whether every method that took memory says what it was predicted to take. */
function hasPredictions(summaries: readonly MethodSummary[]): boolean {
  return summaries.every(({ method, predictedBytes }) => !isMarked(method) || predictedBytes !== undefined);
}

function methodCells(summary: MethodSummary, paper: PaperColumn, predicted: boolean): string[] {
  const costs = costCells(summary, predicted);
  return [
    summary.method,
    `${percent(summary.score)} ± ${percent(summary.standardError)}`,
    ...(isMarked(summary.method) ? costs : costs.map(() => "–")),
    paper.scores[summary.method]?.toFixed(1) ?? "–",
  ];
}

/** What the runs took; looking up the majority class takes nothing. */
function costCells({ steps, seconds, peakBytes, predictedBytes = 0 }: MethodSummary, predicted: boolean): string[] {
  const memory = predicted ? [peakBytes, predictedBytes] : [peakBytes];
  return [whole(steps), seconds.toFixed(1), ...memory.map((bytes) => whole(mebibytes(bytes)))];
}

function captionLines(runs: readonly Run[], summaries: readonly MethodSummary[], paper: PaperColumn): string[] {
  const { task, model, split, splitSeed, data, ...header } = headline(runs);
  const drawn = splitSeed === undefined ? "" : `, the split and batches of all seeds drawn by ${splitSeed},`;
  const parts = `${whole(split.train)} train, ${whole(split.dev)} dev, ${whole(split.test)} test rows${drawn}`;
  return [
    `${errorCaption(summaries)}.`,
    ...pairedLines(runs),
    `${task}, model ${model}${keptText(header)}, ${machineText(header)}; ${parts} from ${dataText(data)}.`,
    ...(Object.keys(paper.scores).length > 0
      ? [`Paper: ${paper.model} (${paper.table}), ${paper.runs} on the paper's own ${paper.task} rows.`]
      : []),
    ...shownPeak(runs).notes,
    ...risenLossLines(runs),
  ];
}

/** What is not as usual with the model, in brackets. */
function keptText({
  untied,
  weights,
  products = "float32",
}: Pick<RunHeader, "untied" | "weights" | "products">): string {
  const kept = [
    ...(untied ? ["output matrix untied"] : []),
    ...(weights === undefined ? [] : [`weights in ${weightsText(weights)}`]),
    ...(products === "float32" ? [] : [`products ${products}`]),
  ];
  return kept.length === 0 ? "" : ` (${kept.join(", ")})`;
}

/** "native backend on AVX2, 1 thread" */
function machineText({
  backend,
  threads,
  processor = "none",
}: Pick<RunHeader, "backend" | "threads" | "processor">): string {
  const on = processor === "none" ? "" : ` on ${levelNames[processor]}`;
  return `${backend} backend${on}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
}

/**
 * Runs of several tasks in the layout of the paper's Table 1: a row a method and a column a task, each cell the mean over the seeds
 * with its standard error and, where the paper has it, the paper's number below. Throws as `summarize` does.
 */
export function taskTable(runs: readonly Run[]): string {
  const tasks = [...new Set(runs.map(({ header }) => header.task))];
  const rows = listMethods(runs).map((method) => [method, ...taskCells(runs, tasks, method)]);
  const columns = numberColumns(["method", ...tasks]);
  return toTerminal({ columns, rows: [...factRows(runs, tasks), ...rows], caption: taskCaption(runs) }, true);
}

function runsOnTask(runs: readonly Run[], task: string): Run[] {
  return runs.filter(({ header }) => header.task === task);
}

/** The metric of each task, and the rows of its parts. */
function factRows(runs: readonly Run[], tasks: readonly string[]): string[][] {
  const headers = tasks.map((task) => headline(runsOnTask(runs, task)));
  return [
    ["metric", ...headers.map(({ metric }) => metric)],
    ["rows", ...headers.map(({ split }) => `${split.train}/${split.dev}/${split.test}`)],
  ];
}

function taskCells(runs: readonly Run[], tasks: readonly string[], method: string): string[] {
  return tasks.map((task) => {
    const own = runsOnTask(runs, task);
    const summary = summarize(own).find((one) => one.method === method);
    const paper = paperFor(own).scores[method];
    const ours = summary ? `${percent(summary.score)} ± ${percent(summary.standardError)}` : "–";
    return paper === undefined ? ours : `${ours}\n(${paper.toFixed(1)})`;
  });
}

function taskCaption(runs: readonly Run[]): string[] {
  const { model, backend } = headline(runs);
  const samples = runs.some(({ header }) => header.data.files.some((name) => /^samples( of |\/)/.test(name)));
  return [
    `In %; ± is one standard error; in brackets ${paperFor(runs).model} in the paper (${paperFor(runs).table}). Rows: train/dev/test. Model ${model}, ${backend} backend.`,
    ...(samples
      ? ["Some tasks were run on the kit's samples, which are not the data set: their scores only show that it runs."]
      : []),
    ...risenLossLines(runs),
  ];
}
