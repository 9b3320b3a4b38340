import { createRequire } from "node:module";
import { Resvg, type ResvgRenderOptions } from "@resvg/resvg-js";

/** A picture as plotly.js takes it: traces, and a layout with its size in pixels. */
export interface Figure {
  readonly data: readonly Readonly<Record<string, unknown>>[];
  readonly layout: Readonly<Record<string, unknown>> & { readonly width: number; readonly height: number };
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

const require = createRequire(import.meta.url);

/** Font family of all figures; Arial has the same widths and stands in where an SVG is shown without Arimo. */
export const FONT_FAMILY = "Arimo, Arial, Helvetica, sans-serif";

/** Fonts for resvg: Arimo from npm and none of the machine's, so that a figure has the same bytes everywhere. */
export const fontOptions: NonNullable<ResvgRenderOptions["font"]> = {
  loadSystemFonts: false,
  fontFiles: ["400Regular", "700Bold"].map((style) =>
    require.resolve(`@expo-google-fonts/arimo/${style}/Arimo_${style}.ttf`),
  ),
  defaultFontFamily: "Arimo",
  sansSerifFamily: "Arimo",
};

/** A number in at most two digits, small ones as powers of ten: "0.0012", "43", "1e-4". */
export function short(value: number): string {
  return exact(Number(value.toPrecision(2)));
}

/** A number with all its digits, small ones as powers of ten. */
export function exact(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : String(value);
}

/** A text's look, as far as its width depends on it; the size is in pixels. */
export interface TextStyle {
  readonly size: number;
  readonly bold: boolean;
}

const MEASURED_AT = 20;
const cache = new Map<string, number>();

/** The advance width in pixels that a line of text has when resvg draws it. */
export function textWidth(text: string, { size, bold }: TextStyle): number {
  const key = `${bold ? "bold" : "plain"} ${text}`;
  let width = cache.get(key);
  if (width === undefined) {
    // Bars at both ends make white space count; what they take alone is subtracted.
    width = inkWidth(`|${text}|`, bold) - inkWidth("||", bold);
    cache.set(key, width);
  }
  return (width * size) / MEASURED_AT;
}

function inkWidth(text: string, bold: boolean): number {
  const escaped = text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const weight = bold ? "bold" : "normal";
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text xml:space="preserve" font-family="Arimo" font-size="${MEASURED_AT}" font-weight="${weight}">${escaped}</text></svg>`;
  return new Resvg(svg, { font: fontOptions }).getBBox()?.width ?? 0;
}
