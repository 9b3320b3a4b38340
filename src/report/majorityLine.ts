import { percent } from "./format.ts";
import type { Rectangle } from "./labels.ts";
import { pixelOf, runsBox, type Scales } from "./scales.ts";
import { QUIET, SMALL_FONT_SIZE } from "./style.ts";
import type { MethodSummary } from "./summary.ts";
import { textWidth } from "./textWidth.ts";

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
