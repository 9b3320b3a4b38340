import { randomBytes } from "node:crypto";
import { join, resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { toPng, toSvg, writeTogether } from "../report/render.ts";
import { type Figure, FONT_FAMILY, FONT_SIZE, INK, palette } from "../report/style.ts";
import { display, unlessInterrupted } from "./display.ts";
import { isSmoke } from "./runs.ts";

/** A name for a place on the page that no other figure has. */
export const newPlace = (): string => `figure-${randomBytes(6).toString("hex")}`;

/**
 * The figure as a page's part that draws itself with the plotly.js that Jupyter's own server serves from this project, and until then, or
 * where there is none, is the picture, if one is given. For kernels that someone looks at: stored notebooks have the picture alone. A
 * figure that replaces another in place has its id, and so keeps the reader's zoom. The height is there from the start, so that what is
 * below stays where it is.
 */
export function interactive({ data, layout }: Figure, png?: Uint8Array, id: string = newPlace()): string {
  const source = png && `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
  const picture = source ? `<img src="${source}" width="${layout.width}">` : "";
  const json = JSON.stringify({ data, layout }).replaceAll("<", "\\u003c");
  return `<div id="${id}" style="height:${layout.height}px">${picture}</div><script>(${draw})("${id}",${json})</script>`;
}

/**
 * Runs in the reader's browser: loads plotly.js once a page. The place is looked up late, since Jupyter may run the script before it puts
 * the place on the page, and may have replaced it by the time that plotly.js is there. The plot last drawn is moved to the place that
 * replaces its own, so that redrawing leaves nothing behind. JupyterLab cuts off what is wider than the cell.
 */
const draw = `function (id, figure) {
  var config = document.getElementById("jupyter-config-data");
  var base = document.body.dataset.baseUrl || (config && JSON.parse(config.textContent).baseUrl) || "/";
  var loaded = window.mezoKitPlotly = window.mezoKitPlotly || new Promise(function (done, failed) {
    var script = document.createElement("script"), amd = window.define && window.define.amd;
    var restore = function () { if (amd) window.define.amd = amd; };
    if (amd) window.define.amd = undefined;
    script.onload = function () { restore(); done(window.Plotly); };
    script.onerror = function () { restore(); failed(); };
    script.src = base + "files/node_modules/plotly.js-dist/plotly.js";
    document.head.appendChild(script);
  });
  loaded.then(function (Plotly) {
    var place = document.getElementById(id), last = window.mezoKitLast;
    if (!place) return;
    if (!last || last.id !== id) last = window.mezoKitLast = { id: id, plot: document.createElement("div") };
    place.replaceChildren(last.plot);
    if (place.clientWidth) figure.layout.width = Math.min(figure.layout.width, place.clientWidth);
    Plotly.react(last.plot, figure.data, figure.layout, { displaylogo: false });
  }, function () {
    var place = document.getElementById(id);
    if (place) place.style.height = "";
  });
}`;

/** A picture as plotly.js takes it, its size left to the notebook where it has none. */
export interface Drawing {
  readonly data: readonly Readonly<Record<string, unknown>>[];
  readonly layout?: Readonly<Record<string, unknown>>;
}

/** Sharp enough to read, and small enough for a notebook of several figures to stay under 300 KB. */
const STORED_PIXELS_PER_UNIT = 1.5;

const SIZE = { width: 800, height: 460 };

const AXIS = {
  ...{ showline: true, linecolor: INK, ticks: "outside", zeroline: false, gridcolor: "#e2e2e2" },
  automargin: true,
};

/**
 * Shows a figure, interactive where the viewer can and as a PNG everywhere, and writes it as ../figures/<name>.svg and .png (smoke runs:
 * ../figures/smoke). Axes, fonts and size are the kit's where the layout does not say otherwise.
 */
export async function figure(name: string, drawing: Drawing): Promise<void> {
  const drawn = styled(drawing);
  await setImmediate(); // ends the cell's synchronous part, in which Node stops the loading of a module halfway
  const svg = await unlessInterrupted(toSvg(drawn));
  const png = await unlessInterrupted(toPng(svg));
  const folder = resolve("..", "figures", isSmoke() ? "smoke" : "");
  await writeTogether(
    new Map<string, string | Uint8Array>([
      [join(folder, `${name}.svg`), svg],
      [join(folder, `${name}.png`), png],
    ]),
  );
  display({
    "application/vnd.plotly.v1+json": { data: drawn.data, layout: drawn.layout },
    "image/png": Buffer.from(await toPng(svg, STORED_PIXELS_PER_UNIT)).toString("base64"),
    "text/plain": `[figure ${name}]`,
    ...(process.env.MEZO_LIVE && { "text/html": interactive(drawn, png) }),
  });
}

/** A logarithmic axis has ticks at powers of ten alone, where it does not say otherwise. */
function axisLike(axis: { readonly type?: string; readonly tickvals?: unknown }): object {
  return axis.type === "log" && !axis.tickvals ? { ...AXIS, dtick: 1, exponentformat: "power" } : AXIS;
}

/** The drawing with what it leaves out: white ground, the kit's fonts, axes with lines and ticks. */
export function styled({ data, layout = {} }: Drawing): Figure {
  const axes = Object.entries(layout).filter(([key]) => /^[xy]axis/.test(key));
  const plain = { xaxis: AXIS, yaxis: AXIS };
  return {
    data,
    layout: {
      ...SIZE,
      ...{ paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff", margin: { l: 70, r: 20, t: 50, b: 60 } },
      font: { family: FONT_FAMILY, size: FONT_SIZE, color: INK },
      colorway: Object.values(palette),
      ...plain,
      ...layout,
      ...Object.fromEntries(axes.map(([key, axis]) => [key, { ...axisLike(axis as object), ...(axis as object) }])),
    },
  };
}
