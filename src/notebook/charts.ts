import { isMarked } from "../measure/methods.ts";
import { type PaperColumn, paperFor } from "../measure/paper.ts";
import type { Run } from "../record/run.ts";
import { INK, markOf } from "../report/style.ts";
import { headline, type MethodSummary, summarize } from "../report/summary.ts";
import type { Drawing } from "./figure.ts";

/** How many points a curve is averaged into: enough for its shape, few enough to see it through the noise of single batches. */
const POINTS = 20;

/** The figure of training losses over the steps: a line a name, the mean of its runs, each point that of a stretch of steps. */
export function lossCurves(
  runs: readonly Run[],
  nameOf: (run: Run) => string = ({ header }) => header.method,
): Drawing {
  const names = [...new Set(runs.map(nameOf))];
  return {
    data: names.map((name) => {
      const own = runs.filter((run) => nameOf(run) === name);
      const line = { color: markOf(own[0]!.header.method).color, dash: dashOf(own[0]!), width: 2.5 };
      return { type: "scatter", mode: "lines", ...meanCurve(own), name, line };
    }),
    layout: {
      showlegend: true,
      xaxis: { title: { text: "step" }, rangemode: "tozero" },
      yaxis: { title: { text: seedsText(runs) } },
      legend: { orientation: "h", x: 0, y: 1.12 },
    },
  };
}

/** What is trained shows in the line, how in its colour. */
function dashOf({ header: { adapter } }: Run): string {
  return { LoRA: "dash", prefix: "dot" }[adapter?.name ?? ""] ?? "solid";
}

function seedsText(runs: readonly Run[]): string {
  const seeds = new Set(runs.map(({ header }) => header.seed)).size;
  return `training loss (nats${seeds > 1 ? `, mean of ${seeds} seeds` : ""})`;
}

function meanCurve(runs: readonly Run[]): { x: number[]; y: number[] } {
  const total = Math.min(...runs.map(({ steps }) => steps.length));
  const size = Math.max(1, Math.ceil(total / POINTS));
  const parts = Array.from({ length: Math.ceil(total / size) }, (_, i) => [i * size, Math.min(total, (i + 1) * size)]);
  const lossIn = (run: Run, from: number, to: number): number =>
    mean(run.steps.slice(from, to).map(({ losses }) => mean(losses)));
  return {
    x: parts.map(([, to]) => to!),
    y: parts.map(([from, to]) => Number(mean(runs.map((run) => lossIn(run, from!, to!))).toPrecision(4))),
  };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The figure of test scores by method: ours with standard errors as filled marks, the paper's as hollow ones, the majority class dashed. */
export function methodScores(runs: readonly Run[], paper: PaperColumn = paperFor(runs)): Drawing {
  const summaries = summarize(runs).filter(({ method }) => isMarked(method));
  const floor = summarize(runs).find(({ method }) => !isMarked(method));
  const names = summaries.map(({ method }) => method);
  const { model, task, metric } = headline(runs);
  const known = names.filter((method) => paper.scores[method] !== undefined);
  return {
    data: [
      {
        ...{ type: "scatter", mode: "markers", name: `this kit: ${model}`, x: names },
        y: summaries.map(({ score }) => 100 * score),
        error_y: {
          type: "data",
          array: summaries.map(({ standardError }) => 100 * standardError),
          ...{ thickness: 2, width: 7, color: INK },
        },
        marker: {
          size: 11,
          color: names.map((name) => markOf(name).color),
          symbol: names.map((name) => markOf(name).symbol),
        },
      },
      {
        ...{ type: "scatter", mode: "markers", name: `paper: ${paper.model}, ${paper.table}`, x: known },
        y: known.map((method) => paper.scores[method]),
        marker: { size: 12, symbol: "circle-open", color: "#5f5f5f", line: { width: 2 } },
      },
      ...(floor
        ? [
            {
              ...{ type: "scatter", mode: "lines", name: "majority class", x: [names[0], names.at(-1)] },
              ...{ y: [100 * floor.score, 100 * floor.score], line: { dash: "dash", color: "#5f5f5f" } },
            },
          ]
        : []),
    ],
    layout: {
      yaxis: { title: { text: `${task} test ${metric} (%)` }, range: [lowest(summaries, floor), 100] },
      xaxis: { showgrid: false, range: [-0.5, names.length - 0.5] },
      legend: { orientation: "h", y: 1.14, x: 0 },
    },
  };
}

/** Ten below the lowest ten that a score lies above: near enough for error bars to be seen. */
function lowest(summaries: readonly MethodSummary[], floor: MethodSummary | undefined): number {
  const scores = [...summaries, ...(floor ? [floor] : [])].map(({ score }) => 100 * score);
  return Math.max(0, 10 * Math.floor(Math.min(...scores) / 10) - 10);
}
