import { isMarked, markOf } from "../measure/methods.ts";
import type { PaperColumn } from "../measure/paper.ts";
import type { Run } from "../record/run.ts";
import { FONT_SIZE, INK, MARK_SIZE, margin, picture, QUIET, runsPanel, textWidth } from "./style.ts";
import { type MethodSummary, testScore } from "./summary.ts";
import { mebibytes } from "./table.ts";

/** A rectangle in pixels, y downwards. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A mark that wants a label: its centre and half its size, and the size of the label, all in pixels. */
export interface LabelledMark {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly width: number;
  readonly height: number;
}

/** Where a label stands beside its mark: −1, 0 or 1 to the left or right, and above (−1) or below (1), so many of its radii away. */
export interface LabelSide {
  readonly across: -1 | 0 | 1;
  readonly down: -1 | 0 | 1;
  readonly reach: number;
}

const DIRECTIONS: readonly Omit<LabelSide, "reach">[] = [
  { across: 1, down: 0 },
  { across: -1, down: 0 },
  { across: 0, down: -1 },
  { across: 0, down: 1 },
  { across: 1, down: -1 },
  { across: 1, down: 1 },
  { across: -1, down: -1 },
  { across: -1, down: 1 },
];

/** The sides so many radii away. */
const sidesAt = (reach: number): LabelSide[] => DIRECTIONS.map((way) => ({ ...way, reach }));

/** What labels must not cover, and what they may where they would otherwise stand far from their marks. */
export interface Obstacles {
  readonly hard: readonly Rectangle[];
  readonly soft: readonly Rectangle[];
}

/**
 * A side for each mark's label: the first that lies inside and covers no obstacle nor a label before it; then one close by that
 * covers soft obstacles, then one farther away, else the right.
 */
export function placeLabels(marks: readonly LabelledMark[], { hard, soft }: Obstacles, inside: Rectangle): LabelSide[] {
  const labels: Rectangle[] = [];
  return marks.map((mark) => {
    const isFree = (side: LabelSide, obstacles: readonly Rectangle[]): boolean => {
      const label = labelBox(mark, side);
      return contains(inside, label) && ![...obstacles, ...labels].some((other) => overlap(other, label));
    };
    const near = sidesAt(1);
    const far = [...sidesAt(2.2), ...sidesAt(3.4)];
    const clear = (side: LabelSide): boolean => isFree(side, [...hard, ...soft]);
    const chosen = near.find(clear) ?? near.find((side) => isFree(side, hard)) ?? far.find(clear) ?? near[0]!;
    labels.push(labelBox(mark, chosen));
    return chosen;
  });
}

/** The values moved apart as little as needed for a gap of `gap` between neighbours, none above `most`, in the given order of items. */
export function spread(values: readonly number[], gap: number, most: number = Number.POSITIVE_INFINITY): number[] {
  const order = values.map((_, index) => index).sort((a, b) => values[a]! - values[b]!);
  const moved = [...values];
  // Each pass moves every crowded pair apart by what it lacks; a few passes settle the handful of marks of a figure.
  for (let pass = 0; pass < 200; pass++) {
    const top = order.at(-1);
    if (top !== undefined) moved[top] = Math.min(moved[top]!, most);
    for (let k = 1; k < order.length; k++) {
      const [low, high] = [order[k - 1]!, order[k]!];
      const missing = gap - (moved[high]! - moved[low]!);
      if (missing > 0) {
        moved[low] = moved[low]! - missing / 2;
        moved[high] = moved[high]! + missing / 2;
      }
    }
  }
  return moved;
}

function labelBox({ x, y, radius, width, height }: LabelledMark, { across, down, reach }: LabelSide): Rectangle {
  return {
    x: x + across * reach * radius + ((across - 1) * width) / 2,
    y: y + down * reach * radius + ((down - 1) * height) / 2,
    width,
    height,
  };
}

function contains(outer: Rectangle, inner: Rectangle): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
  );
}

function overlap(a: Rectangle, b: Rectangle): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

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

const DOT_SIZE = 7;
const GAP = 4;
const LINE_HEIGHT = 1.2;

/** A filled mark with its standard error for every method, and a small dot for every run of those with several seeds. */
export function methodMarks(runs: readonly Run[], summaries: readonly MethodSummary[]): Record<string, unknown>[] {
  const dots = summaries.filter(({ seeds }) => seeds.length > 1).map((summary) => seedDots(runs, summary));
  const filled = summaries.map((summary) => ({
    ...{ x: [mebibytes(summary.peakBytes)], y: [100 * summary.score], mode: "markers" },
    marker: { ...markOf(summary.method), size: MARK_SIZE },
  }));
  return [...dots, ...filled, errorBars(summaries)];
}

/** The methods' labels as annotations, and the lines that join those to their marks that do not stand right beside them. */
export interface MethodLabels {
  readonly annotations: readonly Record<string, unknown>[];
  readonly lines: readonly Record<string, unknown>[];
}

/** The labels, clear of the marks, the dots where there is room, and `obstacles`. */
export function methodLabels(
  runs: readonly Run[],
  summaries: readonly MethodSummary[],
  scales: Scales,
  obstacles: readonly Rectangle[],
): MethodLabels {
  const wanted = summaries.map((summary) => labelledMark(summary, scales));
  const dots = runs.filter(({ header }) => isMarked(header.method)).map((run) => dotBox(run, scales));
  const drawn = summaries.map((summary) => markBox(summary, scales));
  const sides = placeLabels(wanted, { hard: [...drawn, ...obstacles], soft: dots }, runsBox);
  const placed = summaries.map((summary, i) => ({ summary, side: sides[i]!, radius: wanted[i]!.radius }));
  return {
    annotations: placed.map(({ summary, side, radius }) => annotation(summary, side, radius)),
    lines: placed
      .filter(({ side }) => side.reach > 1 || (side.across !== 0 && side.down !== 0))
      .map(({ summary, side, radius }) => leader(summary, side, radius)),
  };
}

function leader(
  { peakBytes, score }: MethodSummary,
  { across, down, reach }: LabelSide,
  radius: number,
): Record<string, unknown> {
  return {
    ...{ type: "line", layer: "above", xsizemode: "pixel", ysizemode: "pixel" },
    ...{ xanchor: mebibytes(peakBytes), yanchor: 100 * score, x0: 0, y0: 0 },
    ...{ x1: across * reach * radius, y1: -down * reach * radius, line: { color: QUIET, width: 1 } },
  };
}

function seedDots(runs: readonly Run[], { method }: MethodSummary): Record<string, unknown> {
  const own = runs.filter(({ header }) => header.method === method);
  return {
    x: own.map(({ cost }) => mebibytes(cost.peakBytes)),
    y: own.map((run) => 100 * testScore(run).score),
    mode: "markers",
    marker: { ...markOf(method), size: DOT_SIZE, opacity: 0.5 },
  };
}

/** Drawn over the marks and in ink, since a standard error is often smaller than a mark. */
function errorBars(summaries: readonly MethodSummary[]): Record<string, unknown> {
  const array = summaries.map(({ standardError }) => 100 * standardError);
  return {
    x: summaries.map(({ peakBytes }) => mebibytes(peakBytes)),
    y: summaries.map(({ score }) => 100 * score),
    mode: "markers",
    marker: { size: 0, opacity: 0 },
    error_y: { type: "data", array, color: INK, thickness: 1.5, width: 7 },
  };
}

function annotation(
  summary: MethodSummary,
  { across, down, reach }: LabelSide,
  radius: number,
): Record<string, unknown> {
  return {
    ...{ x: mebibytes(summary.peakBytes), y: 100 * summary.score, text: labelOf(summary), showarrow: false },
    ...{ xanchor: ["right", "center", "left"][across + 1], yanchor: ["bottom", "middle", "top"][down + 1] },
    ...{ xshift: across * reach * radius, yshift: -down * reach * radius, font: { size: FONT_SIZE, color: INK } },
    ...{ bgcolor: "rgba(255,255,255,0.8)", borderpad: 0 },
  };
}

function labelledMark(summary: MethodSummary, scales: Scales): LabelledMark {
  return {
    ...pixelOf(scales, summary.peakBytes, summary.score),
    radius: MARK_SIZE / 2 + GAP,
    width: textWidth(labelOf(summary), { size: FONT_SIZE, bold: false }) + GAP,
    height: LINE_HEIGHT * FONT_SIZE,
  };
}

function markBox({ score, standardError, peakBytes }: MethodSummary, scales: Scales): Rectangle {
  const { x, y: top } = pixelOf(scales, peakBytes, score + standardError);
  const { y: bottom } = pixelOf(scales, peakBytes, score - standardError);
  const radius = MARK_SIZE / 2;
  return {
    x: x - radius,
    y: Math.min(top, bottom - radius),
    width: MARK_SIZE,
    height: Math.max(bottom - top, MARK_SIZE),
  };
}

function dotBox(run: Run, scales: Scales): Rectangle {
  const { x, y } = pixelOf(scales, run.cost.peakBytes, testScore(run).score);
  return { x: x - DOT_SIZE / 2, y: y - DOT_SIZE / 2, width: DOT_SIZE, height: DOT_SIZE };
}

/** The name alone: nine methods leave no room for numbers, which stand in the table. */
function labelOf({ method }: MethodSummary): string {
  return method;
}
