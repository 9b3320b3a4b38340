import { mebibytes } from "./format.ts";
import type { Rectangle } from "./labels.ts";
import type { PaperColumn } from "./paper.ts";
import { margin, picture, runsPanel } from "./style.ts";
import type { MethodSummary } from "./summary.ts";

/** Ranges of the figure's axes: peak memory in MiB from zero, accuracy in percent. */
export interface Scales {
  readonly memory: readonly [number, number];
  readonly accuracy: readonly [number, number];
}

/** Width and height in pixels of the area inside the figure's margins. */
export const plotArea: { readonly width: number; readonly height: number } = {
  width: picture.width - margin.l - margin.r,
  height: picture.height - margin.t - margin.b,
};

/** The panel of our runs in pixels, with the area's upper left corner as origin. */
export const runsBox: Rectangle = { x: 0, y: 0, width: plotArea.width * runsPanel[1], height: plotArea.height };

/** Axis ranges that hold all runs with their errors and the paper's scores, and leave room for labels. */
export function scalesOf(summaries: readonly MethodSummary[], paper: PaperColumn): Scales {
  const shown = summaries.map(({ score, standardError }) => 100 * (score - standardError));
  const printed = Object.values(paper.scores);
  const lowest = Math.min(...shown, ...printed);
  const most = Math.max(...summaries.map(({ peakBytes }) => mebibytes(peakBytes)));
  return { memory: [0, 1.4 * Math.max(1, most)], accuracy: [Math.max(0, 10 * Math.floor((lowest - 4) / 10)), 101] };
}

/** The pixel in `runsBox` of a peak memory in bytes and a share of right answers. */
export function pixelOf(scales: Scales, peakBytes: number, accuracy: number): { x: number; y: number } {
  const [low, high] = scales.accuracy;
  return {
    x: (runsBox.width * mebibytes(peakBytes)) / scales.memory[1],
    y: (runsBox.height * (high - 100 * accuracy)) / (high - low),
  };
}

/** How many percentage points of accuracy a height in pixels is. */
export function points(scales: Scales, pixels: number): number {
  return (pixels * (scales.accuracy[1] - scales.accuracy[0])) / plotArea.height;
}
