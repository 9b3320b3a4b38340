import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { TextDecoder, TextEncoder } from "node:util";
import type { DOMWindow } from "jsdom";
import seedrandom from "seedrandom";
import type { Figure } from "./figure.ts";
import { fontOptions } from "./fonts.ts";
import { addMeasuring } from "./svgBoxes.ts";
import { writeTogether } from "./write.ts";

const require = createRequire(import.meta.url);
const PIXELS_PER_UNIT = 2;

interface PlotlyWindow extends DOMWindow {
  readonly Plotly: { toImage(figure: Figure, options: Readonly<Record<string, unknown>>): Promise<string> };
}

/** Writes the figure as <basePath>.svg and <basePath>.png (two pixels a unit), neither ever half-written, and returns the two paths. */
export async function saveFigure(figure: Figure, basePath: string): Promise<string[]> {
  const svg = await toSvg(figure);
  const files = new Map<string, string | Uint8Array>([
    [`${basePath}.svg`, svg],
    [`${basePath}.png`, await toPng(svg)],
  ]);
  await writeTogether(files);
  return [...files.keys()];
}

/** The figure as SVG text, drawn by plotly.js without a browser; the same figure gives the same bytes. */
export async function toSvg(figure: Figure): Promise<string> {
  const window = await openWindow();
  const { width, height } = figure.layout;
  try {
    return await window.Plotly.toImage(figure, { format: "svg", width, height, imageDataOnly: true });
  } finally {
    window.close();
  }
}

/** As many as one byte a pixel tells apart: a third of the bytes of all colours, and no figure here shows the difference. */
const COLOURS = 256;

/** The SVG as PNG bytes, so many pixels a unit, its text in Arimo. */
export async function toPng(svg: string, pixelsPerUnit: number = PIXELS_PER_UNIT): Promise<Uint8Array> {
  const { Resvg } = await import("@resvg/resvg-js");
  const { default: png } = await import("upng-js");
  const image = new Resvg(svg, { fitTo: { mode: "zoom", value: pixelsPerUnit }, font: fontOptions }).render();
  const pixels = Uint8Array.from(image.pixels);
  return new Uint8Array(png.encode([pixels.buffer], image.width, image.height, COLOURS));
}

/** A fresh page with plotly.js in it; both are large, so they are loaded when the first figure is drawn. */
async function openWindow(): Promise<PlotlyWindow> {
  const { JSDOM } = await import("jsdom");
  const page = "<!doctype html><html><body></body></html>";
  const { window } = new JSDOM(page, { runScripts: "outside-only", pretendToBeVisual: true });
  addBrowserParts(window);
  addMeasuring(window.SVGElement);
  window.eval(readFileSync(require.resolve("plotly.js-dist"), "utf8"));
  return window as PlotlyWindow;
}

/** What plotly.js looks for and jsdom lacks. Its element ids come from Math.random, which must repeat. */
function addBrowserParts(window: DOMWindow): void {
  const listeners = { addListener() {}, removeListener() {}, addEventListener() {}, removeEventListener() {} };
  Object.assign(window, { TextDecoder, TextEncoder, matchMedia: () => ({ matches: false, ...listeners }) });
  Object.assign(window.URL, { createObjectURL: () => "blob:figure", revokeObjectURL: () => {} });
  Object.assign(window.HTMLCanvasElement.prototype, { getContext: () => null });
  window.Math.random = seedrandom.alea("figure");
}
