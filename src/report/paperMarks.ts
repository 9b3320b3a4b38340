import { spread } from "./labels.ts";
import { methods } from "./methods.ts";
import type { PaperColumn } from "./paper.ts";
import { points, type Scales } from "./scales.ts";
import { FONT_SIZE, INK, MARK_SIZE, markOf, PANEL_COLOR, paperPanel } from "./style.ts";

const MARK_AT = 0.12;
const LABEL_AT = 0.2;
const LABEL_DISTANCE = 1.15 * FONT_SIZE;

/** Hollow marks with labels for what the paper reports; labels of close scores are moved apart. */
export function paperMarks(paper: PaperColumn, scales: Scales): Record<string, unknown>[] {
  const shown = methods.flatMap((method) => {
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
