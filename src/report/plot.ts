import { isMarked, methodNames } from "../measure/methods.ts";
import { type PaperColumn, paperFor } from "../measure/paper.ts";
import type { Run, RunHeader } from "../record/run.ts";
import { shownPeak } from "./peak.ts";
import { errorCaption } from "./runTables.ts";
import {
  type Figure,
  FONT_FAMILY,
  FONT_SIZE,
  INK,
  MARK_SIZE,
  markOf,
  PANEL_COLOR,
  picture,
  QUIET,
  SMALL_FONT_SIZE,
} from "./style.ts";
import { headline, type MethodSummary, risenLossNote, summarize, testScore } from "./summary.ts";
import { mebibytes, percent } from "./table.ts";

/** A part of a plotly.js figure: a trace, an axis, an annotation. */
type Part = Readonly<Record<string, unknown>>;

/** Shares of the plot's width for our runs by memory, the paper's numbers, and where the legend begins. */
const RUNS_PANEL = [0, 0.585] as const;
const PAPER_PANEL = [0.605, 0.815] as const;
const LEGEND_AT = 0.825;

/** Room around the plot in pixels, and the additional room for a note below the caption. */
const MARGIN = { l: 66, r: 12, t: 40, b: 108 } as const;
const NOTE_HEIGHT = 40;

/**
 * The figure of test accuracy against peak memory: a filled mark with its standard error for each method, a small
 * dot for each seed, and the majority class as a dashed line. What the paper reports stands as open marks in a panel of
 * its own, on the same accuracy axis: the memory of its machines is on another scale. The legend names the methods in
 * the order of the paper's tables. Throws as `summarize` does.
 */
export function plotAccuracyMemory(runs: readonly Run[], paper: PaperColumn = paperFor(runs)): Figure {
  const summaries = summarize(runs);
  const marked = summaries.filter(({ method }) => isMarked(method));
  const floors = summaries.filter(({ method }) => !isMarked(method));
  const note = risenLossNote(runs);
  const room = note === undefined ? 0 : NOTE_HEIGHT;
  const header = headline(runs);
  const memory: Memory = { range: memoryRange(summaries), title: shownPeak(runs).title };
  return {
    data: [
      ...seedDots(runs, marked),
      ...marked.map(methodMark),
      errorBars(marked),
      ...paperMarks(paper, marked),
      ...floors.map((floor) => majorityLine(floor, memory.range)),
    ],
    layout: {
      ...picture,
      height: picture.height + room,
      margin: { ...MARGIN, b: MARGIN.b + room },
      ...{ paper_bgcolor: "#ffffff", plot_bgcolor: "rgba(0,0,0,0)" },
      font: { family: FONT_FAMILY, size: FONT_SIZE, color: INK },
      legend: { x: LEGEND_AT, xanchor: "left", y: 1, yanchor: "top", tracegroupgap: 16, font: { size: FONT_SIZE - 1 } },
      ...axes(memory, accuracyRange(summaries, paper), paper, header),
      shapes: [paperGround],
      annotations: [...titles(header, paper), caption(summaries, note), paperNote(paper, header)],
    },
  };
}

/** A filled mark, and the method's line in the legend. */
function methodMark({ method, peakBytes, score }: MethodSummary): Part {
  return {
    ...{ x: [mebibytes(peakBytes)], y: [100 * score], mode: "markers", name: method, ...legendPlace(method) },
    marker: { ...markOf(method), size: MARK_SIZE, line: { color: "#ffffff", width: 1 } },
  };
}

/** A method's place in the legend: those of the paper's tables in their order, then others. */
function legendPlace(method: string): Part {
  const place = methodNames.indexOf(method);
  return { legendgroup: "methods", legendrank: place < 0 ? methodNames.length : place };
}

const DOT_SIZE = 6;

/** A small dot for every run of the methods with several seeds. */
function seedDots(runs: readonly Run[], summaries: readonly MethodSummary[]): Part[] {
  const peak = shownPeak(runs);
  return summaries
    .filter(({ seeds }) => seeds.length > 1)
    .map(({ method }) => {
      const own = runs.filter(({ header }) => header.method === method);
      return {
        x: own.map((run) => mebibytes(peak.of(run))),
        y: own.map((run) => 100 * testScore(run).score),
        ...{ mode: "markers", showlegend: false, marker: { ...markOf(method), size: DOT_SIZE, opacity: 0.5 } },
      };
    });
}

/** Drawn over the marks and in ink, since a standard error is often smaller than a mark. */
function errorBars(summaries: readonly MethodSummary[]): Part {
  const array = summaries.map(({ standardError }) => 100 * standardError);
  return {
    x: summaries.map(({ peakBytes }) => mebibytes(peakBytes)),
    y: summaries.map(({ score }) => 100 * score),
    ...{ mode: "markers", showlegend: false, marker: { size: 0, opacity: 0 } },
    error_y: { type: "data", array, color: INK, thickness: 1.3, width: 5 },
  };
}

/** What the scores are held against stands in a group of its own, last in the legend. */
const REFERENCE: Part = { legendgroup: "references", legendrank: 1000 };

/** The majority class as a line through the panel of our runs, since it has no memory. */
function majorityLine({ score }: MethodSummary, [from, to]: readonly [number, number]): Part {
  const y = 100 * score;
  return {
    ...{ x: [from, to], y: [y, y], mode: "lines", name: `majority class ${percent(score)}`, ...REFERENCE },
    line: { color: QUIET, width: 1.5, dash: "dash" },
  };
}

/**
 * An open mark for each method that the paper reports, side by side in its order. Methods without a run of ours stand in
 * the legend by their open mark; one more entry says what open marks are.
 */
function paperMarks({ scores }: PaperColumn, ours: readonly MethodSummary[]): Part[] {
  const shown = methodNames.filter((method) => scores[method] !== undefined);
  const isOurs = (method: string): boolean => ours.some((summary) => summary.method === method);
  const marks = shown.map((method, i) => ({
    ...{ xaxis: "x2", x: [(i + 1) / (shown.length + 1)], y: [scores[method]], mode: "markers" },
    ...{ name: method, showlegend: !isOurs(method), ...legendPlace(method) },
    marker: openMark(markOf(method).color, markOf(method).symbol),
  }));
  const explained = { x: [null], y: [null], mode: "markers", name: "open: the paper’s", ...REFERENCE };
  return shown.length === 0 ? [] : [...marks, { ...explained, marker: openMark(QUIET, "circle") }];
}

function openMark(color: string, symbol: string): Part {
  return { color, symbol: `${symbol}-open`, size: MARK_SIZE, line: { width: 2.5 } };
}

/** The ground of the paper's panel. */
const paperGround: Part = {
  ...{ type: "rect", layer: "below", xref: "paper", yref: "paper", y0: 0, y1: 1 },
  ...{ x0: PAPER_PANEL[0], x1: PAPER_PANEL[1], fillcolor: PANEL_COLOR, line: { width: 0 } },
};

/** Peak memory in MiB from zero, so that distances compare as ratios. */
function memoryRange(summaries: readonly MethodSummary[]): readonly [number, number] {
  return [0, 1.1 * Math.max(1, ...summaries.map(({ peakBytes }) => mebibytes(peakBytes)))];
}

/** Accuracy in percent, from the ten below all runs with their errors and the paper's scores. */
function accuracyRange(summaries: readonly MethodSummary[], { scores }: PaperColumn): readonly [number, number] {
  const shown = summaries.map(({ score, standardError }) => 100 * (score - standardError));
  const lowest = Math.min(...shown, ...Object.values(scores));
  return [Math.max(0, 10 * Math.floor((lowest - 4) / 10)), 101];
}

/** The memory axis. */
interface Memory {
  readonly range: readonly [number, number];
  readonly title: string;
}

function axes(memory: Memory, accuracy: readonly [number, number], { task }: PaperColumn, { metric }: RunHeader): Part {
  const plain = { showline: true, linecolor: INK, ticks: "outside", tickcolor: INK, zeroline: false, fixedrange: true };
  return {
    xaxis: {
      ...{ ...plain, range: memory.range, domain: RUNS_PANEL, separatethousands: true },
      ...{ showgrid: false, nticks: 8, title: axisTitle(memory.title) },
    },
    xaxis2: { range: [0, 1], domain: PAPER_PANEL, visible: false, fixedrange: true },
    yaxis: {
      ...{ ...plain, range: accuracy, dtick: 10, gridcolor: "#e2e2e2" },
      title: axisTitle(`${task} test ${metric} (%)`),
    },
  };
}

function axisTitle(text: string): Part {
  return { text, font: { size: FONT_SIZE }, standoff: 8 };
}

/** The two panels' headings above them. */
function titles({ model }: RunHeader, paper: PaperColumn): Part[] {
  return [
    { text: `<b>This kit: ${model}</b>`, x: RUNS_PANEL[0] },
    { text: `<b>Paper: ${paper.model}</b>`, x: PAPER_PANEL[0] },
  ].map((title) => ({
    ...{ ...title, xref: "paper", yref: "paper", xanchor: "left", y: 1, yanchor: "bottom", yshift: 8 },
    ...{ showarrow: false, align: "left", font: { size: FONT_SIZE, color: INK } },
  }));
}

/** Under the paper's panel, where the other has its axis. */
function paperNote({ table }: PaperColumn, { metric }: RunHeader): Part {
  const middle = (PAPER_PANEL[0] + PAPER_PANEL[1]) / 2;
  return {
    ...{ text: `${metric} only<br>(${table})`, xref: "paper", yref: "paper", x: middle, xanchor: "center" },
    ...{ y: 0, yanchor: "top", yshift: -6, showarrow: false, font: { size: SMALL_FONT_SIZE, color: QUIET } },
  };
}

const CAPTION_DEPTH = 62;

/** Characters of a line of small text that the picture's width holds. */
const LINE_LENGTH = 125;

/** What the bars and dots are, below the memory axis, and what is to be noted; a long one in two lines. */
function caption(summaries: readonly MethodSummary[], note?: string): Part {
  const dots = summaries.some(({ seeds }) => seeds.length > 1) ? " Small dots: single seeds." : "";
  const lines = [breakAt("; ", `${errorCaption(summaries)}.${dots}`), ...(note ? [breakAt(": ", note)] : [])];
  return {
    ...{ text: lines.join("<br>"), align: "left", showarrow: false },
    ...{ xref: "paper", yref: "paper", x: 0, xanchor: "left", y: 0, yanchor: "top", yshift: -CAPTION_DEPTH },
    font: { size: SMALL_FONT_SIZE, color: QUIET },
  };
}

/** The text, in two lines after a mark where it is too long for one. */
function breakAt(mark: string, text: string): string {
  return text.length <= LINE_LENGTH ? text : text.replace(mark, `${mark.trimEnd()}<br>`);
}
