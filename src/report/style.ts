/** A picture as plotly.js takes it: traces, and a layout with its size in pixels. */
export interface Figure {
  readonly data: readonly Readonly<Record<string, unknown>>[];
  readonly layout: Readonly<Record<string, unknown>> & { readonly width: number; readonly height: number };
}

/** How a method is drawn. */
export interface Mark {
  readonly color: string;
  readonly symbol: string;
}

/**
 * Colours of Okabe and Ito, which colour-blind readers can tell apart, none twice among methods that train: cold ones for FT, warm ones for
 * MeZO, black where the model stays as it is. The shape says what is trained: all weights, LoRA or a prefix.
 */
const MARKS: Readonly<Record<string, Mark>> = {
  "Zero-shot": { color: "#000000", symbol: "circle" },
  ICL: { color: "#000000", symbol: "triangle-down" },
  LP: { color: "#000000", symbol: "star" },
  FT: { color: "#0072B2", symbol: "square" },
  "FT (LoRA)": { color: "#56B4E9", symbol: "triangle-up" },
  "FT (prefix)": { color: "#009E73", symbol: "diamond" },
  MeZO: { color: "#D55E00", symbol: "square" },
  "MeZO (LoRA)": { color: "#E69F00", symbol: "triangle-up" },
  "MeZO (prefix)": { color: "#CC79A7", symbol: "diamond" },
};

/** The mark of a method; those that the tables do not have share one. */
export function markOf(method: string): Mark {
  return MARKS[method] ?? { color: "#7f7f7f", symbol: "x" };
}

/** Colour of text, axes and error bars. */
export const INK = "#222222";

/** Colour of what stands behind the marks and of notes. */
export const QUIET = "#5f5f5f";

/** Ground of the panel of the paper's numbers. */
export const PANEL_COLOR = "#f3f3f3";

/** Size of text in pixels. */
export const FONT_SIZE = 15;

/** Size of captions and notes in pixels. */
export const SMALL_FONT_SIZE = 13;

/** Diameter of a mark in pixels. */
export const MARK_SIZE = 14;

/** Size of the picture in pixels. */
export const picture: { readonly width: number; readonly height: number } = { width: 900, height: 560 };

/** Font family of all figures; Arial has the same widths and stands in where an SVG is shown without Arimo. */
export const FONT_FAMILY = "Arimo, Arial, Helvetica, sans-serif";
