import { findMark } from "../measure/methods.ts";

/** A picture as plotly.js takes it: traces, and a layout with its size in pixels. */
export interface Figure {
  readonly data: readonly Readonly<Record<string, unknown>>[];
  readonly layout: Readonly<Record<string, unknown>> & { readonly width: number; readonly height: number };
}

/** The colours of Okabe and Ito, which colour-blind readers can tell apart; yellow, which white paper swallows, is left out. */
export const palette = {
  vermillion: "#D55E00",
  blue: "#0072B2",
  green: "#009E73",
  orange: "#E69F00",
  sky: "#56B4E9",
  purple: "#CC79A7",
  black: "#000000",
} as const;

/** How a method is drawn, as plotly.js takes it. */
export interface Mark {
  readonly color: string;
  readonly symbol: string;
}

/** The mark of a method; those that the tables do not have share one. */
export function markOf(method: string): Mark {
  const mark = findMark(method);
  return mark ? { color: palette[mark.color], symbol: mark.symbol } : { color: QUIET, symbol: "x" };
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
