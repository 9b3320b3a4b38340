import type { Run } from "../experiment/run.ts";
import { markOf } from "../report/style.ts";
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
  return { LoRA: "dash", prefix: "dot" }[adapter ?? ""] ?? "solid";
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
