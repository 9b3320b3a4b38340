import type { MarkedMethod } from "./methods.ts";

/** Colours of Okabe and Ito, which colour-blind readers can tell apart, and a shape each for print without colour. */
export const marks: Readonly<Record<MarkedMethod, { readonly color: string; readonly symbol: string }>> = {
  "Zero-shot": { color: "#0072B2", symbol: "circle" },
  ICL: { color: "#009E73", symbol: "diamond" },
  MeZO: { color: "#D55E00", symbol: "square" },
};

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
export const picture: { readonly width: number; readonly height: number } = { width: 800, height: 454 };

/** Room for titles, axes and the caption around the plot, in pixels: left, right, top, bottom. */
export const margin: Readonly<Record<"l" | "r" | "t" | "b", number>> = { l: 70, r: 12, t: 40, b: 108 };

/** Share of the plot's width that our runs by memory take. */
export const runsPanel: readonly [number, number] = [0, 0.77];

/** Share of the plot's width that the paper's numbers take, beside our runs. */
export const paperPanel: readonly [number, number] = [0.8, 1];
