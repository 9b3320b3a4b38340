import type { CalibrationBin, Report } from "../experiment/report.ts";
import {
  type Figure,
  FONT_FAMILY,
  FONT_SIZE,
  INK,
  PANEL_COLOR,
  palette,
  picture,
  QUIET,
  SMALL_FONT_SIZE,
} from "./style.ts";
import { percent, whole } from "./table.ts";

/** A part of a plotly.js figure: a trace, an axis, an annotation. */
type Part = Readonly<Record<string, unknown>>;

/** Shares of the plot's height: how many answers are in each bin, and how many of them are right. */
const COUNTS = [0, 0.17] as const;
const SHARES = [0.22, 1] as const;

const CAPTION_DEPTH = 62;

/**
 * The reliability diagram of a report (Guo et al. 2017): for each bin of the answers' probabilities the share of right answers as a
 * bar, the mean probability as a mark where the bar would end if the model were calibrated, and below how many answers the bin has.
 */
export function plotReliability(report: Report): Figure {
  const { n, calibration } = report;
  const shown = calibration.bins.filter((bin) => bin.n > 0);
  return {
    data: [diagonal, accuracyBars(shown), confidenceMarks(shown), countBars(shown, n)],
    layout: {
      ...picture,
      margin: { l: 78, r: 26, t: 40, b: 108 },
      ...{ paper_bgcolor: "#ffffff", plot_bgcolor: "rgba(0,0,0,0)", bargap: 0 },
      font: { family: FONT_FAMILY, size: FONT_SIZE, color: INK },
      legend: { x: 0.02, xanchor: "left", y: 0.98, yanchor: "top", font: { size: FONT_SIZE - 1 } },
      ...axes(Math.max(...shown.map((bin) => bin.n / n))),
      annotations: [title(report), caption(report)],
    },
  };
}

/** A bin's middle, in percent. */
const middle = ({ from, to }: CalibrationBin): number => 50 * (from + to);
const width = ({ from, to }: CalibrationBin): number => 100 * (to - from);

/** Where the bars would end if the model were calibrated everywhere. */
const diagonal: Part = {
  ...{ x: [0, 100], y: [0, 100], mode: "lines", name: "calibrated" },
  line: { color: QUIET, width: 1.5, dash: "dash" },
};

function bars(bins: readonly CalibrationBin[], color: string): Part {
  const marker = { color, line: { color: "#ffffff", width: 1.5 } };
  return { type: "bar", x: bins.map(middle), width: bins.map(width), marker };
}

function accuracyBars(bins: readonly CalibrationBin[]): Part {
  return { ...bars(bins, palette.sky), y: bins.map(({ accuracy }) => 100 * accuracy), name: "right answers" };
}

function confidenceMarks(bins: readonly CalibrationBin[]): Part {
  return {
    ...{ x: bins.map(middle), y: bins.map(({ confidence }) => 100 * confidence) },
    ...{ mode: "markers", name: "mean probability" },
    marker: { color: palette.vermillion, symbol: "line-ew", size: 34, line: { color: palette.vermillion, width: 3 } },
  };
}

function countBars(bins: readonly CalibrationBin[], n: number): Part {
  const y = bins.map((bin) => (100 * bin.n) / n);
  return { ...bars(bins, QUIET), y, yaxis: "y2", showlegend: false };
}

function axes(most: number): Part {
  const plain = { showline: true, linecolor: INK, ticks: "outside", tickcolor: INK, zeroline: false, fixedrange: true };
  const named = (text: string): Part => ({ text, font: { size: FONT_SIZE }, standoff: 8 });
  return {
    xaxis: {
      ...{ ...plain, range: [0, 100], dtick: 10, showgrid: false, anchor: "y2" },
      title: named("Probability of the answer (%)"),
    },
    yaxis: {
      ...{ ...plain, range: [0, 101], dtick: 20, gridcolor: "#e2e2e2", domain: SHARES },
      title: named("Right answers (%)"),
    },
    yaxis2: {
      ...{ ...plain, range: [0, 110 * most], nticks: 3, gridcolor: PANEL_COLOR, domain: COUNTS },
      title: named("Answers (%)"),
    },
  };
}

function title({ task, model, on, accuracy, n, calibration }: Report): Part {
  const text = `<b>${task}: ${model}</b>, ${whole(n)} ${on} rows, ${percent(accuracy)} % right, expected calibration error ${percent(calibration.error)} %`;
  return {
    ...{ text, xref: "paper", yref: "paper", x: 0, xanchor: "left", y: 1, yanchor: "bottom", yshift: 8 },
    ...{ showarrow: false, align: "left", font: { size: FONT_SIZE, color: INK } },
  };
}

function caption({ calibration }: Report): Part {
  const text = `${calibration.bins.length} bins of equal width (Guo et al. 2017). The error is the mean gap between bar and mark, each answer counting alike.`;
  return {
    ...{ text, align: "left", showarrow: false },
    ...{ xref: "paper", yref: "paper", x: 0, xanchor: "left", y: 0, yanchor: "top", yshift: -CAPTION_DEPTH },
    font: { size: SMALL_FONT_SIZE, color: QUIET },
  };
}
