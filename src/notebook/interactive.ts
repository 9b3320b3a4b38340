import { randomBytes } from "node:crypto";
import type { Figure } from "../report/figure.ts";

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
