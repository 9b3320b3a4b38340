import { isMarked, markOf, methodNames } from "../measure/methods.ts";
import { type PaperColumn, paperFor } from "../measure/paper.ts";
import type { Run, RunHeader } from "../record/run.ts";
import { risenLossNote } from "./risenLoss.ts";
import {
  methodLabels,
  methodMarks,
  pixelOf,
  plotArea,
  points,
  type Rectangle,
  runsBox,
  type Scales,
  scalesOf,
  spread,
} from "./runMarks.ts";
import {
  type Figure,
  FONT_FAMILY,
  FONT_SIZE,
  INK,
  MARK_SIZE,
  margin,
  PANEL_COLOR,
  paperPanel,
  picture,
  QUIET,
  runsPanel,
  SMALL_FONT_SIZE,
  textWidth,
} from "./style.ts";
import { headline, type MethodSummary, summarize } from "./summary.ts";
import { errorCaption, percent } from "./table.ts";

/** The majority class as a dashed line with its text over the left end, and the pixels that the two take. */
export interface MajorityLine {
  readonly shape: Readonly<Record<string, unknown>>;
  readonly annotation: Readonly<Record<string, unknown>>;
  readonly boxes: readonly Rectangle[];
}

/** The majority class as a line through the panel of our runs: what it costs is no matter. */
export function majorityLine({ score }: MethodSummary, scales: Scales): MajorityLine {
  const y = 100 * score;
  const text = `Majority class ${percent(score)}`;
  const width = textWidth(text, { size: SMALL_FONT_SIZE, bold: false }) + SMALL_FONT_SIZE;
  const pixel = pixelOf(scales, 0, score).y;
  return {
    shape: {
      ...{ type: "line", layer: "below", xref: "x domain", x0: 0, x1: 1, y0: y, y1: y },
      line: { color: QUIET, width: 1.5, dash: "dash" },
    },
    annotation: {
      ...{ text, x: 0, xref: "x domain", xanchor: "left", xshift: 4, y, yanchor: "bottom", showarrow: false },
      ...{ font: { size: SMALL_FONT_SIZE, color: QUIET }, bgcolor: "rgba(255,255,255,0.8)", borderpad: 0 },
    },
    boxes: [
      { x: 0, y: pixel - 1.3 * SMALL_FONT_SIZE, width, height: 1.3 * SMALL_FONT_SIZE },
      { x: 0, y: pixel - 1, width: runsBox.width, height: 2 },
    ],
  };
}

const MARK_AT = 0.12;
const LABEL_AT = 0.2;
const LABEL_DISTANCE = 1.15 * FONT_SIZE;

/** Hollow marks with labels for what the paper reports; labels of close scores are moved apart. */
export function paperMarks(paper: PaperColumn, scales: Scales): Record<string, unknown>[] {
  const shown = methodNames.flatMap((method) => {
    const score = paper.scores[method];
    return score === undefined ? [] : [{ method, score }];
  });
  const heights = spread(
    shown.map(({ score }) => score),
    points(scales, LABEL_DISTANCE),
    scales.accuracy[1] - points(scales, LABEL_DISTANCE / 2),
  );
  const labels = {
    ...{ xaxis: "x2", x: shown.map(() => LABEL_AT), y: heights, mode: "text", textposition: "middle right" },
    text: shown.map(({ method, score }) => `${method} ${score.toFixed(1)}`),
    textfont: { size: FONT_SIZE, color: INK },
  };
  const hollow = shown.map(({ method, score }) => ({
    ...{ xaxis: "x2", x: [MARK_AT], y: [score], mode: "markers" },
    marker: {
      color: markOf(method).color,
      symbol: `${markOf(method).symbol}-open`,
      size: MARK_SIZE,
      line: { width: 2.5 },
    },
  }));
  return [...hollow, labels];
}

/** The ground of the paper's panel. */
export function paperGround(): Record<string, unknown> {
  return {
    ...{
      type: "rect",
      layer: "below",
      xref: "paper",
      yref: "paper",
      y0: 0,
      y1: 1,
      x0: paperPanel[0],
      x1: paperPanel[1],
    },
    ...{ fillcolor: PANEL_COLOR, line: { width: 0 } },
  };
}

const CAPTION_DEPTH = 62;

/** Room in pixels for what is to be noted below the caption. */
const NOTE_HEIGHT = 40;

/**
 * The figure of test accuracy against peak memory: a filled mark with its standard error for each method, a small
 * dot for each seed, and the majority class as a dashed line. What the paper reports stands as hollow marks in a panel of
 * its own, on the same accuracy axis: the memory of its machines is on another scale. Throws as `summarize` does.
 */
export function plotAccuracyMemory(runs: readonly Run[], paper: PaperColumn = paperFor(runs)): Figure {
  const summaries = summarize(runs);
  const marked = summaries.filter(({ method }) => isMarked(method));
  const scales = scalesOf(summaries, paper);
  const note = risenLossNote(runs);
  const room = note === undefined ? 0 : NOTE_HEIGHT;
  const lines = summaries.filter(({ method }) => !isMarked(method)).map((one) => majorityLine(one, scales));
  const labels = methodLabels(
    runs,
    marked,
    scales,
    lines.flatMap(({ boxes }) => boxes),
  );
  return {
    data: [...methodMarks(runs, marked), ...paperMarks(paper, scales)],
    layout: {
      ...picture,
      height: picture.height + room,
      margin: { ...margin, b: margin.b + room },
      ...{ showlegend: false, paper_bgcolor: "#ffffff", plot_bgcolor: "rgba(0,0,0,0)" },
      font: { family: FONT_FAMILY, size: FONT_SIZE, color: INK },
      ...axes(scales, paper, headline(runs)),
      shapes: [paperGround(), ...lines.map(({ shape }) => shape), ...labels.lines],
      annotations: [
        ...titles(headline(runs), paper),
        caption(summaries, note),
        paperNote(paper, headline(runs)),
        ...lines.map(({ annotation }) => annotation),
        ...labels.annotations,
      ],
    },
  };
}

function axes({ memory, accuracy }: Scales, { task }: PaperColumn, { metric }: RunHeader): Record<string, unknown> {
  const plain = { showline: true, linecolor: INK, ticks: "outside", tickcolor: INK, zeroline: false, fixedrange: true };
  return {
    xaxis: {
      ...{ ...plain, range: memory, domain: runsPanel, rangemode: "tozero", separatethousands: true },
      ...{ showgrid: false, nticks: 8, title: axisTitle("Peak memory of the process (MiB)") },
    },
    xaxis2: { range: [0, 1], domain: paperPanel, visible: false, fixedrange: true },
    yaxis: {
      ...{ ...plain, range: accuracy, dtick: 10, gridcolor: "#e2e2e2" },
      title: axisTitle(`${task} test ${metric} (%)`),
    },
  };
}

function axisTitle(text: string): Record<string, unknown> {
  return { text, font: { size: FONT_SIZE }, standoff: 8 };
}

/** The two panels' headings above them. */
function titles({ model }: RunHeader, paper: PaperColumn): Record<string, unknown>[] {
  return [
    { text: `<b>This kit: ${model}</b>`, x: runsPanel[0] },
    { text: `<b>Paper: ${paper.model}</b>`, x: paperPanel[0] },
  ].map((title) => ({
    ...{ ...title, xref: "paper", yref: "paper", xanchor: "left", y: 1, yanchor: "bottom", yshift: 8 },
    ...{ showarrow: false, align: "left", font: { size: FONT_SIZE, color: INK } },
  }));
}

/** Under the paper's panel, where the other has its axis. */
function paperNote({ table }: PaperColumn, { metric }: RunHeader): Record<string, unknown> {
  const middle = (paperPanel[0] + paperPanel[1]) / 2;
  return {
    ...{ text: `${metric} only (${table})`, xref: "paper", yref: "paper", x: middle, xanchor: "center" },
    ...{ y: 0, yanchor: "top", yshift: -6, showarrow: false, font: { size: SMALL_FONT_SIZE, color: QUIET } },
  };
}

/** What the bars and dots are, below the memory axis, and what is to be noted; in two lines where one is too narrow. */
function caption(summaries: readonly MethodSummary[], note?: string): Record<string, unknown> {
  const dots = summaries.some(({ seeds }) => seeds.length > 1) ? " Small dots: single seeds." : "";
  const lines = [broken(`${errorCaption(summaries)}.${dots}`, "; "), ...(note ? [broken(note, ": ")] : [])];
  return {
    ...{ text: lines.join("<br>"), align: "left", showarrow: false },
    ...{ xref: "paper", yref: "paper", x: 0, xanchor: "left", y: 0, yanchor: "top", yshift: -CAPTION_DEPTH },
    font: { size: SMALL_FONT_SIZE, color: QUIET },
  };
}

/** The text, with its line broken after a mark where it is wider than the plot. */
function broken(text: string, mark: string): string {
  const fits = textWidth(text, { size: SMALL_FONT_SIZE, bold: false }) < plotArea.width;
  return fits ? text : text.replace(mark, `${mark.trimEnd()}<br>`);
}
