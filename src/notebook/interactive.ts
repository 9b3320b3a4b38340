import { randomBytes } from "node:crypto";
import type { Figure } from "../report/figure.ts";

/**
 * The figure as a page's part that draws itself with the plotly.js that Jupyter's own server serves from this project, and until then, or
 * where there is none, is the picture, if one is given. For kernels that someone looks at: stored notebooks have the picture alone.
 */
export function interactive({ data, layout }: Figure, png?: Uint8Array): string {
  const id = `figure-${randomBytes(6).toString("hex")}`;
  const source = png && `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
  const picture = source ? `<img src="${source}" width="${layout.width}">` : "";
  const json = JSON.stringify({ data, layout }).replaceAll("<", "\\u003c");
  return `<div id="${id}">${picture}</div><script>(${draw})("${id}",${json})</script>`;
}

/** Runs in the reader's browser: loads plotly.js once a page. */
const draw = `function (id, figure) {
  var config = document.getElementById("jupyter-config-data");
  var base = document.body.dataset.baseUrl || (config && JSON.parse(config.textContent).baseUrl) || "/";
  var loaded = window.mezoKitPlotly = window.mezoKitPlotly || new Promise(function (done, failed) {
    var script = document.createElement("script"), amd = window.define && window.define.amd;
    if (amd) window.define.amd = undefined;
    script.onload = function () { if (amd) window.define.amd = amd; done(window.Plotly); };
    script.onerror = failed;
    script.src = base + "files/node_modules/plotly.js-dist/plotly.js";
    document.head.appendChild(script);
  });
  loaded.then(function (Plotly) {
    var place = document.getElementById(id);
    place.textContent = "";
    Plotly.newPlot(place, figure.data, figure.layout, { displaylogo: false });
  });
}`;
