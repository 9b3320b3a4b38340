import { toPng } from "../report/render.ts";
import { FONT_FAMILY, INK, palette } from "../report/style.ts";
import { escapeHtml } from "../report/table.ts";
import { display, unlessInterrupted } from "./display.ts";
import { type Drawing, newPlace } from "./figure.ts";
import { isSmoke } from "./runs.ts";

/** One position of a knob: what its label reads there, the picture, and a sentence under it. */
export interface Position {
  readonly at: string;
  readonly drawing: Drawing;
  readonly says: string;
}

/** A knob: its name, its positions from left to right, and the one that it starts at. */
export interface Knob {
  readonly name: string;
  readonly positions: readonly Position[];
  readonly start: number;
}

const SIZE = { width: 800, height: 400 };
const FRAME = { left: 75, right: 780, top: 40, bottom: 345 };
const STORED_PIXELS_PER_UNIT = 1.5;

/**
 * Shows a picture that moves with a slider, which keys move too. Every position is drawn beforehand, so the output needs no kernel, no server
 * and no library: scripts of a few lines in Jupyter, VS Code and nbviewer exchange paths. Where none runs it is the picture at the start, as SVG
 * and as PNG. Drawings are those of `chart`, with the same series and axes at all positions; axes have a range of their own or that of all.
 */
export async function slider(knob: Knob): Promise<void> {
  const png = await unlessInterrupted(toPng(drawSvg(knob, knob.start), STORED_PIXELS_PER_UNIT));
  const { name, positions, start } = knob;
  display({
    "text/html": sliderHtml(knob),
    "image/png": Buffer.from(png).toString("base64"),
    "text/plain": `[slider ${name}: ${positions.map(({ at }) => at).join(", ")}]\n${positions[start]!.says}`,
  });
}

/** The page's part: a label with its slider, the sentence, and the picture at the start. */
export function sliderHtml(knob: Knob, id: string = isSmoke() ? newPlace() : placeFor(knob)): string {
  const { name, positions, start } = knob;
  const frames = positions.map(({ at, says }, i) => ({ at, says, paths: drawPaths(knob, i) }));
  const json = JSON.stringify(frames).replaceAll("<", "\\u003c");
  const range = `type="range" min="0" max="${positions.length - 1}" step="1" value="${start}"`;
  const text = `font-family:${FONT_FAMILY};color:${INK};background:#fff;max-width:${SIZE.width}px`;
  return [
    `<div id="${id}" style="${text}">${drawSvg(knob, start)}`,
    `<label for="${id}-knob">${escapeHtml(name)} = <output for="${id}-knob">${escapeHtml(positions[start]!.at)}</output></label>`,
    ` <input id="${id}-knob" ${range} aria-valuetext="${escapeHtml(positions[start]!.at)}" style="width:60%">`,
    `<p aria-live="polite">${escapeHtml(positions[start]!.says)}</p></div><script>(${turn})("${id}",${json})</script>`,
  ].join("");
}

/** The same for the same knob, so that a notebook that is run again does not change. */
const placeFor = ({ name, positions }: Knob): string =>
  `knob-${[...`${name}${positions.map(({ says }) => says)}`].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)!) >>> 0, 7).toString(36)}`;

/** Runs in the reader's browser. JupyterLab may run it before it puts the place on the page. */
const turn = `function (id, frames) {
  (function begin(tries) {
    var place = document.getElementById(id);
    if (!place) return tries && setTimeout(function () { begin(tries - 1); }, 50);
    var knob = place.querySelector("input"), paths = place.querySelectorAll("path[data-series]");
    knob.oninput = function () {
      var frame = frames[knob.value];
      frame.paths.forEach(function (d, i) { paths[i].setAttribute("d", d); });
      place.querySelector("output").textContent = frame.at;
      place.querySelector("p").textContent = frame.says;
      knob.setAttribute("aria-valuetext", frame.at);
    };
  })(100);
}`;

/** A series as `chart` takes it, as far as it is drawn here. */
interface Drawn {
  readonly name: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly mode: string;
  readonly line?: { readonly color?: string; readonly dash?: string };
  readonly marker?: { readonly color?: string; readonly symbol?: string };
}

const seriesOf = ({ data }: Drawing): readonly Drawn[] => data as unknown as readonly Drawn[];

/** An axis of all positions: from a number to its place in the picture, and the numbers of its ticks. */
interface Scale {
  readonly title: string;
  readonly place: (value: number) => number;
  readonly ticks: readonly number[];
}

function scaleOf({ positions }: Knob, axis: "x" | "y"): Scale {
  const layout = positions[0]!.drawing.layout![`${axis}axis`] as {
    readonly title: { readonly text: string };
    readonly type?: string;
    readonly range?: readonly [number, number];
    readonly tickvals?: readonly number[];
  };
  const isLog = layout.type === "log";
  const on = (value: number): number => (isLog ? Math.log10(value) : value);
  const all = positions.flatMap(({ drawing }) => seriesOf(drawing).flatMap((one) => one[axis].map(on)));
  const [low, high] = layout.range ?? [Math.min(...all), Math.max(...all)];
  const [from, to] = axis === "x" ? [FRAME.left, FRAME.right] : [FRAME.bottom, FRAME.top];
  const ticks = layout.tickvals ?? (isLog ? powersOfTen(low, high) : roundNumbers(low, high));
  return { title: layout.title.text, place: (value) => from + ((on(value) - low) / (high - low)) * (to - from), ticks };
}

/** The powers of ten whose exponents lie between the two numbers. */
function powersOfTen(low: number, high: number): number[] {
  const first = Math.ceil(low - 1e-9);
  return Array.from({ length: Math.floor(high + 1e-9) - first + 1 }, (_, i) => Number(`1e${first + i}`));
}

/** Four to nine round numbers from the low to the high one. */
function roundNumbers(low: number, high: number): number[] {
  const ten = 10 ** Math.floor(Math.log10(high - low));
  const step = [0.1, 0.2, 0.5, 1].map((part) => part * ten).find((size) => (high - low) / size <= 8) ?? 2 * ten;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(6)));
}

/** The path of each series at a position. */
function drawPaths(knob: Knob, position: number): string[] {
  const [across, up] = [scaleOf(knob, "x"), scaleOf(knob, "y")];
  return seriesOf(knob.positions[position]!.drawing).map(({ x, y, mode }) => {
    const places = x.map((value, i) => [across.place(value), up.place(y[i]!)].map((at) => at.toFixed(1)).join(" "));
    return mode === "markers"
      ? places.map((at) => `M${at}h0`).join("")
      : places.map((at, i) => `${i ? "L" : "M"}${at}`).join("");
  });
}

/** The picture at a position: frame, ticks, titles, legend, and a path for each series. */
function drawSvg(knob: Knob, position: number): string {
  const [across, up] = [scaleOf(knob, "x"), scaleOf(knob, "y")];
  const series = seriesOf(knob.positions[position]!.drawing);
  const paths = drawPaths(knob, position);
  const { left, right, top, bottom } = FRAME;
  const box = `${left} ${top} ${right - left} ${bottom - top}`;
  const inside = `x="${left}" y="${top}" width="${right - left}" height="${bottom - top}" viewBox="${box}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" width="${SIZE.width}" height="${SIZE.height}"`,
    ` role="img" style="max-width:100%;height:auto" font-family="${FONT_FAMILY}" font-size="14" fill="${INK}"><rect width="100%" height="100%" fill="#fff"/>`,
    ...across.ticks.map((tick) => tickSvg(across.place(tick), "x", tick)),
    ...up.ticks.map((tick) => tickSvg(up.place(tick), "y", tick)),
    `<path d="M${left} ${top}V${bottom}H${right}" fill="none" stroke="${INK}"/>`,
    `<text x="${(left + right) / 2}" y="${SIZE.height - 10}" text-anchor="middle">${escapeHtml(across.title)}</text>`,
    `<text transform="translate(18 ${(top + bottom) / 2}) rotate(-90)" text-anchor="middle">${escapeHtml(up.title)}</text>`,
    ...series.map((one, i) => legendSvg(one, i, series.length)),
    `<svg ${inside} overflow="hidden">`,
    ...series.map((one, i) => `<path data-series="${escapeHtml(one.name)}" d="${paths[i]}" ${lookOf(one, i)}/>`),
    "</svg></svg>",
  ].join("");
}

function tickSvg(at: number, axis: "x" | "y", value: number): string {
  const text = Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(0) : `${value}`;
  const { left, right, top, bottom } = FRAME;
  const place = at.toFixed(1);
  return axis === "x"
    ? `<path d="M${place} ${top}V${bottom}" stroke="#e2e2e2"/><text x="${place}" y="${bottom + 19}" text-anchor="middle">${text}</text>`
    : `<path d="M${left} ${place}H${right}" stroke="#e2e2e2"/><text x="${left - 7}" y="${(at + 5).toFixed(1)}" text-anchor="end">${text}</text>`;
}

function legendSvg(one: Drawn, i: number, count: number): string {
  const x = FRAME.left + (i * (FRAME.right - FRAME.left)) / count;
  const mark = one.mode === "markers" ? `M${x + 12} 18h0` : `M${x} 18h24`;
  return `<path d="${mark}" ${lookOf(one, i)}/><text x="${x + 31}" y="23">${escapeHtml(one.name)}</text>`;
}

/** Marks are the round ends of lines without length. */
function lookOf({ mode, line, marker }: Drawn, i: number): string {
  const color = line?.color ?? marker?.color ?? Object.values(palette)[i % 7];
  const width = mode === "markers" ? `stroke-width="10" stroke-linecap="round"` : `stroke-width="2"`;
  const dash = { dash: "8 5", dot: "2 4" }[line?.dash ?? ""];
  return `fill="none" stroke="${color}" ${width}${dash ? ` stroke-dasharray="${dash}"` : ""}`;
}
