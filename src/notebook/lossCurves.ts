import type { Run } from "../experiment/run.ts";
import { markOf } from "../report/style.ts";
import type { Drawing } from "./figure.ts";

/** How many points a curve is averaged into: enough for its shape, few enough for a stored notebook. */
const POINTS = 60;

/** The figure of training losses over the steps, each point the mean of a stretch of steps; a line a run, named by `nameOf`. */
export function lossCurves(
  runs: readonly Run[],
  nameOf: (run: Run) => string = ({ header }) => header.method,
): Drawing {
  const names = runs.map(nameOf);
  return {
    data: runs.map((run, i) => ({
      ...{ type: "scatter", mode: "lines", ...stretches(run), name: names[i], legendgroup: names[i] },
      ...{ showlegend: names.indexOf(names[i]!) === i, line: { color: markOf(run.header.method).color, width: 1.5 } },
    })),
    layout: {
      xaxis: { title: { text: "step" } },
      yaxis: { title: { text: "training loss (nats an example)" } },
    },
  };
}

function stretches({ steps }: Run): { x: number[]; y: number[] } {
  const size = Math.max(1, Math.ceil(steps.length / POINTS));
  const parts = Array.from({ length: Math.ceil(steps.length / size) }, (_, i) => steps.slice(i * size, (i + 1) * size));
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    x: parts.map((part) => part.at(-1)!.step + 1),
    y: parts.map((part) => Number(mean(part.map(({ losses }) => mean(losses))).toPrecision(5))),
  };
}
