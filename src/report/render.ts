import { readFileSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { TextDecoder, TextEncoder } from "node:util";
import { Resvg, type ResvgRenderOptions } from "@resvg/resvg-js";
import type { DOMWindow, JSDOM } from "jsdom";
import seedrandom from "seedrandom";
import { explainLoading, KitError } from "../error.ts";
import type { Figure } from "./style.ts";

/**
 * Writes the files, none ever half-written: each first beside its place under a temporary name, renamed when all are
 * complete. Throws where a folder cannot be written.
 */
export async function writeTogether(files: ReadonlyMap<string, string | Uint8Array>): Promise<void> {
  try {
    for (const [path, content] of files) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(temporary(path), content);
    }
    for (const path of files.keys()) await rename(temporary(path), path);
  } catch (error) {
    // A folder that was never made needs no cleaning, so this must not hide the first error.
    await Promise.allSettled([...files.keys()].map((path) => rm(temporary(path), { force: true })));
    const { code } = error as NodeJS.ErrnoException;
    const paths = [...files.keys()].join(" and ");
    throw new KitError(`Cannot write ${paths} (${code}); choose a folder that can be written.`);
  }
}

function temporary(path: string): string {
  return `${path}.${process.pid}.tmp`;
}

const require = createRequire(import.meta.url);

/** Fonts for resvg: Arimo from npm and none of the machine's, so that a figure has the same bytes everywhere. */
const fontOptions: NonNullable<ResvgRenderOptions["font"]> = {
  loadSystemFonts: false,
  fontFiles: ["400Regular", "700Bold"].map((style) =>
    require.resolve(`@expo-google-fonts/arimo/${style}/Arimo_${style}.ttf`),
  ),
  defaultFontFamily: "Arimo",
  sansSerifFamily: "Arimo",
};

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

/** A rectangle in the user units of an SVG. */
interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const EMPTY_BOX: Box = { x: 0, y: 0, width: 0, height: 0 };
const LINE_HEIGHT = 1.3;

/** Gives SVG elements of a jsdom window the measuring methods that plotly.js needs and jsdom lacks. */
export function addMeasuring(svgElement: { readonly prototype: object }): void {
  Object.assign(svgElement.prototype, {
    getBBox(this: SVGElement): Box {
      return measureBox(this);
    },
    getComputedTextLength(this: SVGElement): number {
      return measureLines(this).width;
    },
    getBoundingClientRect(this: SVGElement): Box & Record<"left" | "top" | "right" | "bottom", number> {
      const box = measureBox(this);
      return { ...box, left: box.x, top: box.y, right: box.x + box.width, bottom: box.y + box.height };
    },
  });
}

function measureBox(element: Element): Box {
  const tag = element.tagName.toLowerCase();
  if (tag === "text" || tag === "tspan") return measureText(element as SVGElement);
  if (tag === "rect" || tag === "image") {
    const { x, y } = position(element);
    return { x, y, width: attribute(element, "width"), height: attribute(element, "height") };
  }
  return union([...element.children].map(transformBox).filter(({ width, height }) => width > 0 || height > 0));
}

function measureText(element: SVGElement): Box {
  const { size, width, height } = measureLines(element);
  if (width === 0) return EMPTY_BOX;
  const { x, y } = position(element);
  const anchor = inherited(element, "textAnchor") || element.getAttribute("text-anchor");
  const share = anchor === "middle" ? 0.5 : anchor === "end" ? 1 : 0;
  return { x: x - share * width, y: y - size, width, height };
}

/** Plotly writes each line of a text as a tspan of class "line". */
function measureLines(element: SVGElement): { size: number; width: number; height: number } {
  const size = Number.parseFloat(inherited(element, "fontSize")) || 12;
  const bold = /bold|[6-9]00/.test(inherited(element, "fontWeight"));
  const spans = [...element.querySelectorAll("tspan.line")];
  const lines = spans.length > 0 ? spans : [element];
  const widths = lines.map((line) => textWidth(line.textContent ?? "", { size, bold }));
  return { size, width: Math.max(...widths), height: lines.length * size * LINE_HEIGHT };
}

function inherited(element: Element | null, property: "fontSize" | "fontWeight" | "textAnchor"): string {
  if (element === null) return "";
  const own = (element as Partial<SVGElement>).style?.[property];
  return own || inherited(element.parentElement, property);
}

/** The box of an element as its parent sees it: moved and turned (axis titles stand upright) by its own transform. */
function transformBox(element: Element): Box {
  const steps = [...(element.getAttribute("transform") ?? "").matchAll(/(translate|rotate)\(([^)]*)\)/g)];
  let box = measureBox(element);
  for (const [, kind, list = ""] of steps.reverse()) {
    const [a = 0, b = 0, c = 0] = list.split(/[\s,]+/).map(Number);
    box = kind === "rotate" ? rotateBox(box, a, { x: b, y: c }) : { ...box, x: box.x + a, y: box.y + b };
  }
  return box;
}

/** The box around a box that is turned by an angle in degrees about a centre. */
function rotateBox(box: Box, angle: number, center: { readonly x: number; readonly y: number }): Box {
  const [cos, sin] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
  const corners = [box.x, box.x + box.width].flatMap((right) =>
    [box.y, box.y + box.height].map((down) => {
      const [x, y] = [right - center.x, down - center.y];
      return { x: center.x + x * cos - y * sin, y: center.y + x * sin + y * cos, width: 0, height: 0 };
    }),
  );
  return union(corners);
}

function union(boxes: readonly Box[]): Box {
  if (boxes.length === 0) return EMPTY_BOX;
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  const right = Math.max(...boxes.map((box) => box.x + box.width));
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  return { x, y, width: right - x, height: bottom - y };
}

function position(element: Element): { x: number; y: number } {
  return { x: attribute(element, "x"), y: attribute(element, "y") };
}

function attribute(element: Element, name: string): number {
  return Number.parseFloat(element.getAttribute(name) ?? "") || 0;
}

const PIXELS_PER_UNIT = 2;

interface PlotlyWindow extends DOMWindow {
  readonly Plotly: { toImage(figure: Figure, options: Readonly<Record<string, unknown>>): Promise<string> };
}

/**
 * Writes the figure as <basePath>.svg and <basePath>.png (two pixels a unit), neither ever half-written, and returns the two paths. Throws a
 * NotInstalled without the packages plotly.js-dist and jsdom, which draw it.
 */
export async function saveFigure(figure: Figure, basePath: string): Promise<string[]> {
  const svg = await toSvg(figure);
  const files = new Map<string, string | Uint8Array>([
    [`${basePath}.svg`, svg],
    [`${basePath}.png`, await toPng(svg)],
  ]);
  await writeTogether(files);
  return [...files.keys()];
}

/** The figure as SVG text, drawn by plotly.js without a browser; the same figure gives the same bytes. Throws as `saveFigure` does. */
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
  const { default: png } = await import("upng-js");
  const image = new Resvg(svg, { fitTo: { mode: "zoom", value: pixelsPerUnit }, font: fontOptions }).render();
  const pixels = Uint8Array.from(image.pixels);
  return new Uint8Array(png.encode([pixels.buffer], image.width, image.height, COLOURS));
}

/** A fresh page with plotly.js in it; both are large, so they are loaded when the first figure is drawn. */
async function openWindow(): Promise<PlotlyWindow> {
  const { JSDOM, plotly } = await loadPackages();
  const page = "<!doctype html><html><body></body></html>";
  const { window } = new JSDOM(page, { runScripts: "outside-only", pretendToBeVisual: true });
  addBrowserParts(window);
  addMeasuring(window.SVGElement);
  window.eval(plotly);
  return window as PlotlyWindow;
}

async function loadPackages(): Promise<{ JSDOM: typeof JSDOM; plotly: string }> {
  try {
    const plotly = readFileSync(require.resolve("plotly.js-dist"), "utf8");
    return { JSDOM: (await import("jsdom")).JSDOM, plotly };
  } catch (error) {
    throw explainLoading(error, "A picture was to be drawn", ["plotly.js-dist", "jsdom"]);
  }
}

/** What plotly.js looks for and jsdom lacks. Its element ids come from Math.random, which must repeat. */
function addBrowserParts(window: DOMWindow): void {
  const listeners = { addListener() {}, removeListener() {}, addEventListener() {}, removeEventListener() {} };
  Object.assign(window, { TextDecoder, TextEncoder, matchMedia: () => ({ matches: false, ...listeners }) });
  Object.assign(window.URL, { createObjectURL: () => "blob:figure", revokeObjectURL: () => {} });
  Object.assign(window.HTMLCanvasElement.prototype, { getContext: () => null });
  window.Math.random = seedrandom.alea("figure");
}
