import type { Progress } from "../tensor/progress.ts";
import { display, type MimeBundle, type Shown } from "./display.ts";
import { type Drawing, styled } from "./figure.ts";
import { interactive, newPlace } from "./interactive.ts";
import { liveProgress, lossIn, methodIn } from "./progress.ts";

const REDRAW_MILLISECONDS = 1000;

/** How many points a chart has at most: of longer runs each is the mean of a stretch. */
const MOST_POINTS = 200;

/** The losses of a run under way. */
interface Curve {
  readonly method: string;
  readonly steps: number[];
  readonly losses: number[];
}

/**
 * Progress for training cells, to be given as `onProgress`: `liveProgress`, and in a viewer that draws with plotly.js a chart of the loss
 * under it, which grows while the run goes on. Where no one looks on, and so in stored notebooks, it is the line alone.
 */
export function liveChart(): Progress {
  const line = liveProgress();
  const place = newPlace();
  let shown: Shown | undefined;
  let drawn = 0;
  let curve: Curve = { method: "", steps: [], losses: [] };
  return (event) => {
    line(event);
    const loss = lossIn(event);
    if (loss === undefined || !process.env.MEZO_LIVE) return;
    const method = methodIn(event);
    if (curve.method !== method || event.done <= (curve.steps.at(-1) ?? 0)) curve = { method, steps: [], losses: [] };
    curve.steps.push(event.done);
    curve.losses.push(loss);
    const now = Date.now();
    if (event.done < event.total && now - drawn < REDRAW_MILLISECONDS) return;
    drawn = now;
    const bundle = chart(curve, place);
    if (shown) shown.replace(bundle);
    else shown = display(bundle);
  };
}

/** The curve in stretches of equal length, each at its last step. */
function thinned({ steps, losses }: Curve): { x: number[]; y: number[] } {
  const size = Math.ceil(steps.length / MOST_POINTS);
  const parts = Array.from({ length: Math.ceil(steps.length / size) }, (_, i) =>
    losses.slice(i * size, (i + 1) * size),
  );
  return {
    x: parts.map((part, i) => steps[i * size + part.length - 1]!),
    y: parts.map((part) => part.reduce((sum, loss) => sum + loss, 0) / part.length),
  };
}

function chart(curve: Curve, place: string): MimeBundle {
  const { method } = curve;
  const drawing: Drawing = {
    data: [{ type: "scatter", mode: "lines", ...thinned(curve), line: { color: "#D55E00", width: 1.5 } }],
    layout: {
      ...{ height: 260, title: { text: method }, margin: { l: 70, r: 20, t: 40, b: 50 } },
      xaxis: { title: { text: "step" }, rangemode: "tozero" },
      yaxis: { title: { text: "training loss" } },
      uirevision: method, // the reader's zoom is kept while the curve grows
    },
  };
  const figure = styled(drawing);
  return {
    "application/vnd.plotly.v1+json": { data: figure.data, layout: figure.layout },
    "text/html": interactive(figure, undefined, place),
    "text/plain": `[loss of ${method}]`,
  };
}
