import type { Run } from "../experiment/run.ts";
import { mebibytes } from "./format.ts";
import { type LabelledMark, type LabelSide, placeLabels, type Rectangle } from "./labels.ts";
import { isMarked } from "./methods.ts";
import { pixelOf, runsBox, type Scales } from "./scales.ts";
import { FONT_SIZE, INK, MARK_SIZE, markOf, QUIET } from "./style.ts";
import { type MethodSummary, testScore } from "./summary.ts";
import { textWidth } from "./textWidth.ts";

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
