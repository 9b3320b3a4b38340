import type { Diagnosis } from "../experiment/diagnose.ts";
import type { Figure } from "./figure.ts";
import { FONT_FAMILY } from "./fonts.ts";
import { exact } from "./shortNumber.ts";
import { FONT_SIZE, INK, margin, PANEL_COLOR, picture, QUIET, SMALL_FONT_SIZE } from "./style.ts";

/** Colours of Okabe and Ito and a shape for each z. */
const DRAWS = [
  { color: "#0072B2", symbol: "circle" },
  { color: "#D55E00", symbol: "square" },
  { color: "#009E73", symbol: "diamond" },
];

/** How far beyond what lies on the plateau the axis of g goes, as a share of the widest g there. */
const BEYOND = 1.6;

/** How much larger plotly.js writes powers of ten than other numbers. */
const POWERS = 1.25;

/** The figure of g over eps, a line for each z that was swept: the plateau shaded, the eps in question and the suggested one marked. */
export function plotPlateau(found: Diagnosis): Figure {
  const limit = limitOf(found);
  const plain = { showline: true, linecolor: INK, ticks: "outside", tickcolor: INK, zeroline: false, fixedrange: true };
  return {
    data: found.sweep.slopes.map((slopes, z) => lineOf(found.sweep.eps, slopes, z, limit)),
    layout: {
      ...picture,
      margin,
      ...{ showlegend: false, paper_bgcolor: "#ffffff", plot_bgcolor: "rgba(0,0,0,0)" },
      font: { family: FONT_FAMILY, size: FONT_SIZE, color: INK },
      xaxis: {
        ...{ ...plain, type: "log", range: [-6.15, 0.15], dtick: 1, exponentformat: "power" },
        ...{ showgrid: false, tickfont: { size: FONT_SIZE / POWERS } },
        title: axisTitle("eps, the size of the perturbation"),
      },
      yaxis: {
        ...{ ...plain, range: [-limit, limit], gridcolor: "#e2e2e2" },
        title: axisTitle("Projected gradient g"),
      },
      shapes: [...plateauShapes(found), ...marksOf(found).map(({ eps, dash }) => upright(eps, dash))],
      annotations: [title(found), caption(found), ...markTexts(found, limit), ...drawTexts(found, limit)],
    },
  };
}

const axisTitle = (text: string): Record<string, unknown> => ({ text, font: { size: FONT_SIZE }, standoff: 8 });

/** The largest |g| that is shown: what lies far off the plateau says no more than that it is off. */
function limitOf({ sweep, plateau }: Diagnosis): number {
  const seen = sweep.slopes.flatMap((slopes) =>
    slopes.filter((_, i) => !plateau || (sweep.eps[i]! >= plateau.from && sweep.eps[i]! <= plateau.to)),
  );
  return BEYOND * Math.max(...seen.filter(Number.isFinite).map(Math.abs), Number.MIN_VALUE);
}

/** A z's line, cut at the edges of the picture. */
function lineOf(eps: readonly number[], slopes: readonly number[], z: number, limit: number): Record<string, unknown> {
  const { color, symbol } = DRAWS[z % DRAWS.length]!;
  const shown = slopes.map((slope) => (Math.abs(slope) <= limit ? slope : null));
  return {
    ...{ type: "scatter", mode: "lines+markers", x: eps, y: shown, connectgaps: false, cliponaxis: false },
    ...{ line: { color, width: 2 }, marker: { color, symbol, size: 8 }, hoverinfo: "skip" },
  };
}

function plateauShapes({ plateau }: Diagnosis): Record<string, unknown>[] {
  if (!plateau) return [];
  const across = { x0: plateau.from, x1: plateau.to, yref: "paper", y0: 0, y1: 1 };
  return [{ type: "rect", ...across, fillcolor: PANEL_COLOR, line: { width: 0 }, layer: "below" }];
}

interface EpsMark {
  readonly eps: number;
  readonly text: string;
  readonly dash: "dash" | "solid";
}

/** One mark where the two are the same. */
function marksOf({ settings, suggested }: Diagnosis): EpsMark[] {
  if (settings.eps === suggested.eps)
    return [{ eps: settings.eps, text: `eps ${exact(settings.eps)}, kept`, dash: "solid" }];
  return [
    { eps: settings.eps, text: `eps ${exact(settings.eps)}`, dash: "dash" },
    { eps: suggested.eps, text: `suggested ${exact(suggested.eps)}`, dash: "solid" },
  ];
}

function upright(eps: number, dash: EpsMark["dash"]): Record<string, unknown> {
  const line = { color: QUIET, width: 1.5, dash };
  return { type: "line", x0: eps, x1: eps, yref: "paper", y0: 0, y1: 1, line, layer: "below" };
}

/** Beside their lines, at the bottom: each on the side away from the other, the second above the first. */
function markTexts(found: Diagnosis, limit: number): Record<string, unknown>[] {
  const marks = marksOf(found);
  const leftmost = Math.min(...marks.map(({ eps }) => eps));
  return marks.map(({ eps, text }, i) => {
    const isLeft = eps > 0.03 || (marks.length > 1 && eps === leftmost && eps > 1e-5);
    return {
      ...{ text, x: Math.log10(eps), y: -limit, yanchor: "bottom", yshift: 4 + 20 * i, showarrow: false },
      ...{ xanchor: isLeft ? "right" : "left", xshift: isLeft ? -5 : 5, font: { size: SMALL_FONT_SIZE, color: INK } },
    };
  });
}

/** Each z's name at its line, at the plateau's left end where there is one. */
function drawTexts({ sweep, plateau }: Diagnosis, limit: number): Record<string, unknown>[] {
  const at = sweep.eps.indexOf(plateau?.from ?? sweep.eps[0]!);
  const texts = sweep.slopes.map((slopes, z) => ({ z, y: slopes[at]! })).filter(({ y }) => Math.abs(y) <= limit);
  return apart(texts, (2 * limit) / 20).map(({ z, y }) => ({
    ...{ text: `z of step ${z}`, x: Math.log10(sweep.eps[at]!), y, xanchor: "left", xshift: 4, yshift: 12 },
    ...{ showarrow: false, font: { size: SMALL_FONT_SIZE, color: DRAWS[z % DRAWS.length]!.color } },
  }));
}

/** Moved upwards where they would cover one another. */
function apart<T extends { readonly y: number }>(texts: readonly T[], least: number): T[] {
  const placed: T[] = [];
  for (const text of texts.toSorted((a, b) => a.y - b.y)) {
    const below = placed.at(-1);
    placed.push({ ...text, y: below ? Math.max(text.y, below.y + least) : text.y });
  }
  return placed;
}

function title({ method, task, model }: Diagnosis): Record<string, unknown> {
  return {
    ...{ text: `<b>${method} on ${task}, ${model}</b>`, xref: "paper", yref: "paper", x: 0, xanchor: "left" },
    ...{ y: 1, yanchor: "bottom", yshift: 8, showarrow: false, font: { size: FONT_SIZE, color: INK } },
  };
}

function caption({ plateau, sweep, settings: { batchSize } }: Diagnosis): Record<string, unknown> {
  const shaded = plateau
    ? "Shaded: g within 10 % of its median under every z. "
    : "No plateau: g depends on eps everywhere. ";
  const text = `${shaded}${sweep.slopes.length} z on one batch of ${batchSize}; points far off are left out.`;
  return {
    ...{ text, xref: "paper", yref: "paper", x: 0, xanchor: "left", y: 0, yanchor: "top", yshift: -62 },
    ...{ showarrow: false, font: { size: SMALL_FONT_SIZE, color: QUIET } },
  };
}
