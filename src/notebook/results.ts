import { isMarked, listMethods, methodNames } from "../measure/methods.ts";
import { type PaperColumn, paperFor, placeInPaper } from "../measure/paper.ts";
import type { Run } from "../record/run.ts";
import { shownPeak } from "../report/peak.ts";
import { markOf, QUIET } from "../report/style.ts";
import { headline, type MethodSummary, mean, standardErrorOfMean, summarize, testScore } from "../report/summary.ts";
import { mebibytes, percent } from "../report/table.ts";
import { chart, line, points, type Series } from "./charts.ts";
import type { Drawing } from "./figure.ts";
import type { Cell } from "./tables.ts";
import { isAtChance, noise } from "./verdict.ts";

/** The test scores in percent of a method's runs, in their order. Throws a KitError for a run without one. */
export function testScores(runs: readonly Run[], method: string): number[] {
  return runs.filter(({ header }) => header.method === method).map((run) => 100 * testScore(run).score);
}

/** A row a method for `frame` and `show`: its mean test score in percent, with the standard error over its runs. */
export function meanScores(runs: readonly Run[]): { method: string; score: number; error: number; seeds: number }[] {
  return listMethods(runs).map((method) => {
    const scores = testScores(runs, method);
    return { method, score: mean(scores), error: standardErrorOfMean(scores), seeds: scores.length };
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
  const { heading } = shownPeak(runs);
  return summaries.map((summary) => ({
    method: summary.method,
    "ours, %": percent(summary.score),
    "±": percent(summary.standardError),
    "paper, %": paper.scores[summary.method],
    ...comparison(summary, paper.scores[summary.method], floor),
    seeds: summary.seeds.length,
    ...costs(summary, heading),
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

/** What a run took; its memory under the heading that `shownPeak` gives it. */
function costs({ method, steps, seconds, peakBytes }: MethodSummary, memory: string): Record<string, Cell> {
  if (!isMarked(method)) return { steps: null, "s a run": null, [memory]: null };
  return { steps: Math.round(steps), "s a run": seconds.toFixed(1), [memory]: Math.round(mebibytes(peakBytes)) };
}

/** How many points a curve is averaged into: enough for its shape, few enough to see it through the noise of single batches. */
const POINTS = 20;

/** What is drawn of a run's losses, whether it is finished or not. */
type Losses = Pick<Run, "header" | "steps">;

/** The figure of training losses over the steps: a line a name, the mean of its runs, each point that of a stretch of steps. */
export function lossCurves<R extends Losses>(
  runs: readonly R[],
  nameOf: (run: R) => string = ({ header }) => header.method,
): Drawing {
  const names = [...new Set(runs.map(nameOf))];
  const runsOf = (name: string): R[] => runs.filter((run) => nameOf(run) === name);
  const seeds = Math.max(...names.map((name) => new Set(runsOf(name).map(({ header }) => header.seed)).size));
  const curves = names.map((name) => {
    const own = runsOf(name);
    const { x, y } = meanCurve(own);
    return line(name, x, y, { ...(methodNames.includes(name) && { like: name }), dash: dashFor(own[0]!) });
  });
  const mean = seeds > 1 ? `, mean of ${seeds} seeds` : "";
  return chart(curves, { x: { title: "step", fromZero: true }, y: `training loss (nats${mean})` });
}

/** What is trained shows in the line too. */
function dashFor({ header: { adapter } }: Losses): "solid" | "dash" | "dot" {
  return ({ LoRA: "dash", prefix: "dot" } as const)[adapter?.name ?? ""] ?? "solid";
}

function meanCurve(runs: readonly Losses[]): { x: number[]; y: number[] } {
  const total = Math.min(...runs.map(({ steps }) => steps.length));
  const size = Math.max(1, Math.ceil(total / POINTS));
  const parts = Array.from({ length: Math.ceil(total / size) }, (_, i) => [i * size, Math.min(total, (i + 1) * size)]);
  const lossIn = (run: Losses, from: number, to: number): number =>
    mean(run.steps.slice(from, to).map(({ losses }) => mean(losses)));
  return {
    x: parts.map(([, to]) => runs[0]!.steps[to! - 1]!.step + 1),
    y: parts.map(([from, to]) => mean(runs.map((run) => lossIn(run, from!, to!)))),
  };
}

/** The figure of test scores by method: ours with standard errors as filled marks, the paper's as open ones, the majority class dashed. */
export function methodScores(runs: readonly Run[], paper: PaperColumn = paperFor(runs)): Drawing {
  const summaries = summarize(runs).filter(({ method }) => isMarked(method));
  const floor = summarize(runs).find(({ method }) => !isMarked(method));
  const names = summaries.map(({ method }) => method);
  const known = names.filter((method) => paper.scores[method] !== undefined);
  const { model, task, metric } = headline(runs);
  const errors = summaries.map(({ standardError }) => 100 * standardError);
  const ours = points(
    `this kit: ${model}`,
    names,
    names.map((_, i) => 100 * summaries[i]!.score),
    { errors },
  );
  const marks = names.map(markOf);
  const range = [lowest(summaries, floor), 100] as const;
  const drawn = chart(
    [
      {
        ...ours,
        marker: { size: 10, color: marks.map(({ color }) => color), symbol: marks.map(({ symbol }) => symbol) },
      },
      points(
        `paper: ${paper.model}, ${paper.table}`,
        known,
        known.map((method) => paper.scores[method]!),
        {
          ...{ color: QUIET, symbol: "circle-open" },
        },
      ),
      ...(floor ? [majorityLine([names[0]!, names.at(-1)!], 100 * floor.score)] : []),
    ],
    { x: "", y: { title: `${task} test ${metric} (%)`, range } },
  );
  return { ...drawn, layout: { ...drawn.layout, xaxis: { showgrid: false, range: [-0.5, names.length - 0.5] } } };
}

const majorityLine = (ends: readonly string[], score: number): Series =>
  line("majority class", ends, [score, score], { color: QUIET, dash: "dash" });

/** Ten below the lowest ten that a score lies above: near enough for error bars to be seen. */
function lowest(summaries: readonly MethodSummary[], floor: MethodSummary | undefined): number {
  const scores = [...summaries, ...(floor ? [floor] : [])].map(({ score }) => 100 * score);
  return Math.max(0, 10 * Math.floor(Math.min(...scores) / 10) - 10);
}

/** Room of a task that its marks are spread over. */
const SPREAD = 0.52;

/**
 * The figure of test scores by task: in each task's column a filled mark for each method with its standard error, an open one of the same
 * colour and shape for the paper's, and the majority class as a dash. Throws as `summarize` does.
 */
export function taskScores(runs: readonly Run[], shown: readonly string[]): Drawing {
  const tasks = [...new Set(runs.map(({ header }) => header.task))].sort((a, b) => placeInPaper(a) - placeInPaper(b));
  const columns = tasks.map((task) => {
    const own = runs.filter(({ header }) => header.task === task);
    return { summaries: summarize(own), paper: paperFor(own).scores };
  });
  const drawn = shown.flatMap((method, m) => {
    const at = (i: number): number => i + SPREAD * (shown.length === 1 ? 0 : m / (shown.length - 1) - 0.5);
    const ours = columns.flatMap(({ summaries }, i) => {
      const found = summaries.find((one) => one.method === method);
      return found ? [{ x: at(i), ...found }] : [];
    });
    const theirs = columns.flatMap(({ paper }, i) =>
      paper[method] === undefined ? [] : [{ x: at(i), y: paper[method] }],
    );
    return [
      points(
        method,
        ours.map(({ x }) => x),
        ours.map(({ score }) => 100 * score),
        {
          ...{ like: method, errors: ours.map(({ standardError }) => 100 * standardError) },
        },
      ),
      points(
        method,
        theirs.map(({ x }) => x),
        theirs.map(({ y }) => y),
        {
          ...{ like: method, symbol: `${markOf(method).symbol}-open`, named: false },
        },
      ),
    ];
  });
  return chart([majorityDashes(columns), ...drawn, paperEntry], {
    x: { title: "", ticks: tasks.map((_, i) => i), labels: tasks, range: [-0.5, tasks.length - 0.5] },
    y: { title: "test score (%)", range: [0, 100] },
  });
}

/** What the legend says of open marks. */
const paperEntry: Series = {
  ...points("open: the paper’s", [], [], { color: QUIET, symbol: "circle-open" }),
  ...{ x: [null], y: [null] },
};

/** Below the marks, and after them in the legend. */
function majorityDashes(columns: readonly { readonly summaries: readonly MethodSummary[] }[]): Series {
  const floors = columns.flatMap(({ summaries }, i) => {
    const floor = summaries.find(({ method }) => !isMarked(method));
    return floor ? [{ i, y: 100 * floor.score }] : [];
  });
  return {
    ...line("majority class", [], [], { color: QUIET }),
    x: floors.flatMap(({ i }) => [i - 0.4, i + 0.4, null]),
    ...{ y: floors.flatMap(({ y }) => [y, y, null]), legendrank: 2000 },
  };
}
