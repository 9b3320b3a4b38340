/** How a method is drawn. */
export interface Mark {
  readonly color: string;
  readonly symbol: string;
}

/** Colours of Okabe and Ito, which colour-blind readers can tell apart, one for each way to train, and a shape each for what is trained. */
const MARKS: Readonly<Record<string, Mark>> = {
  "Zero-shot": { color: "#0072B2", symbol: "circle" },
  ICL: { color: "#009E73", symbol: "diamond" },
  LP: { color: "#CC79A7", symbol: "star" },
  FT: { color: "#56B4E9", symbol: "square" },
  "FT (LoRA)": { color: "#56B4E9", symbol: "triangle-up" },
  "FT (prefix)": { color: "#56B4E9", symbol: "triangle-down" },
  MeZO: { color: "#D55E00", symbol: "square" },
  "MeZO (LoRA)": { color: "#D55E00", symbol: "triangle-up" },
  "MeZO (prefix)": { color: "#D55E00", symbol: "triangle-down" },
};

/** The mark of a method; those that the tables do not have share one. */
export function markOf(method: string): Mark {
  return MARKS[method] ?? { color: "#000000", symbol: "x" };
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
export const MARK_SIZE = 12;

/** Size of the picture in pixels. */
export const picture: { readonly width: number; readonly height: number } = { width: 900, height: 560 };

/** Room for titles, axes and the caption around the plot, in pixels: left, right, top, bottom. */
export const margin: Readonly<Record<"l" | "r" | "t" | "b", number>> = { l: 70, r: 12, t: 40, b: 108 };

/** Share of the plot's width that our runs by memory take. */
export const runsPanel: readonly [number, number] = [0, 0.73];

/** Share of the plot's width that the paper's numbers take, beside our runs. */
export const paperPanel: readonly [number, number] = [0.75, 1];
