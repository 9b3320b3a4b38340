import type { Run } from "../experiment/run.ts";
import { isMarked } from "../report/methods.ts";
import { type PaperColumn, paperFor } from "../report/paper.ts";
import { INK, markOf } from "../report/style.ts";
import { headline, type MethodSummary, summarize } from "../report/summary.ts";
import type { Drawing } from "./figure.ts";

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
