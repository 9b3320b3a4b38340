import { spread } from "./labels.ts";
import type { PaperColumn } from "./paper.ts";
import { points, type Scales } from "./scales.ts";
import { fontSize, ink, markedMethods, markSize, marks, panelColor, paperPanel } from "./style.ts";

const markAt = 0.12;
const labelAt = 0.2;
const labelDistance = 1.15 * fontSize;

/** Returns hollow marks with labels for what the paper reports; labels of close scores are moved apart. */
export function paperMarks(paper: PaperColumn, scales: Scales): Record<string, unknown>[] {
  const shown = markedMethods.flatMap((method) => {
    const score = paper.scores[method];
    return score === undefined ? [] : [{ method, score }];
  });
  const heights = spread(
    shown.map(({ score }) => score),
    points(scales, labelDistance),
  );
  const labels = {
    ...{ xaxis: "x2", x: shown.map(() => labelAt), y: heights, mode: "text", textposition: "middle right" },
    text: shown.map(({ method, score }) => `${method} ${score.toFixed(1)}`),
    textfont: { size: fontSize, color: ink },
  };
  const hollow = shown.map(({ method, score }) => ({
    ...{ xaxis: "x2", x: [markAt], y: [score], mode: "markers" },
    marker: {
      color: marks[method].color,
      symbol: `${marks[method].symbol}-open`,
      size: markSize,
      line: { width: 2.5 },
    },
  }));
  return [...hollow, labels];
}

/** Returns the ground of the paper's panel. */
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
    ...{ fillcolor: panelColor, line: { width: 0 } },
  };
}
