import type { Run } from "../experiment/run.ts";
import { mebibytes, percent } from "./format.ts";
import { type LabelledMark, type LabelSide, placeLabels, type Rectangle } from "./labels.ts";
import { pixelOf, runsBox, type Scales } from "./scales.ts";
import { fontSize, ink, type MarkedMethod, markSize, marks } from "./style.ts";
import { type MethodSummary, testScore } from "./summary.ts";
import { textWidth } from "./textWidth.ts";

/** A method's summary that is drawn as a mark. */
export type MarkedSummary = MethodSummary & { readonly method: MarkedMethod };

const dotSize = 7;
const gap = 4;
const lineHeight = 1.2;

/** Returns a filled mark with its standard error for every method, and a small dot for every run of those with several seeds. */
export function methodMarks(runs: readonly Run[], summaries: readonly MarkedSummary[]): Record<string, unknown>[] {
  const dots = summaries.filter(({ seeds }) => seeds.length > 1).map((summary) => seedDots(runs, summary));
  const filled = summaries.map((summary) => ({
    ...{ x: [mebibytes(summary.peakBytes)], y: [100 * summary.accuracy], mode: "markers" },
    marker: { ...marks[summary.method], size: markSize },
  }));
  return [...dots, ...filled, errorBars(summaries)];
}

/** Returns the methods' labels as annotations, clear of the marks, the dots and `obstacles`. */
export function methodLabels(
  runs: readonly Run[],
  summaries: readonly MarkedSummary[],
  scales: Scales,
  obstacles: readonly Rectangle[],
): Record<string, unknown>[] {
  const wanted = summaries.map((summary) => labelledMark(summary, scales));
  const dots = runs.filter(({ header }) => header.method in marks).map((run) => dotBox(run, scales));
  const drawn = summaries.map((summary) => markBox(summary, scales));
  const sides = placeLabels(wanted, [...drawn, ...dots, ...obstacles], runsBox);
  return summaries.map((summary, index) => annotation(summary, sides[index]!, wanted[index]!.radius));
}

function seedDots(runs: readonly Run[], { method }: MarkedSummary): Record<string, unknown> {
  const own = runs.filter(({ header }) => header.method === method);
  return {
    x: own.map(({ cost }) => mebibytes(cost.peakBytes)),
    y: own.map((run) => 100 * testScore(run).accuracy),
    mode: "markers",
    marker: { ...marks[method], size: dotSize, opacity: 0.5 },
  };
}

/** Drawn over the marks and in ink, since a standard error is often smaller than a mark. */
function errorBars(summaries: readonly MarkedSummary[]): Record<string, unknown> {
  const array = summaries.map(({ standardError }) => 100 * standardError);
  return {
    x: summaries.map(({ peakBytes }) => mebibytes(peakBytes)),
    y: summaries.map(({ accuracy }) => 100 * accuracy),
    mode: "markers",
    marker: { size: 0, opacity: 0 },
    error_y: { type: "data", array, color: ink, thickness: 1.5, width: 7 },
  };
}

function annotation(summary: MarkedSummary, { across, down }: LabelSide, radius: number): Record<string, unknown> {
  return {
    ...{ x: mebibytes(summary.peakBytes), y: 100 * summary.accuracy, text: labelOf(summary), showarrow: false },
    ...{ xanchor: ["right", "center", "left"][across + 1], yanchor: ["bottom", "middle", "top"][down + 1] },
    ...{ xshift: across * radius, yshift: -down * radius, font: { size: fontSize, color: ink } },
    ...{ bgcolor: "rgba(255,255,255,0.8)", borderpad: 0 },
  };
}

function labelledMark(summary: MarkedSummary, scales: Scales): LabelledMark {
  return {
    ...pixelOf(scales, summary.peakBytes, summary.accuracy),
    radius: markSize / 2 + gap,
    width: textWidth(labelOf(summary), { size: fontSize, bold: false }) + gap,
    height: lineHeight * fontSize,
  };
}

function markBox({ accuracy, standardError, peakBytes }: MarkedSummary, scales: Scales): Rectangle {
  const { x, y: top } = pixelOf(scales, peakBytes, accuracy + standardError);
  const { y: bottom } = pixelOf(scales, peakBytes, accuracy - standardError);
  const radius = markSize / 2;
  return {
    x: x - radius,
    y: Math.min(top, bottom - radius),
    width: markSize,
    height: Math.max(bottom - top, markSize),
  };
}

function dotBox(run: Run, scales: Scales): Rectangle {
  const { x, y } = pixelOf(scales, run.cost.peakBytes, testScore(run).accuracy);
  return { x: x - dotSize / 2, y: y - dotSize / 2, width: dotSize, height: dotSize };
}

function labelOf({ method, accuracy, standardError }: MarkedSummary): string {
  return `${method} ${percent(accuracy)} ± ${percent(standardError)}`;
}
