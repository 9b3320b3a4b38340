import { weightsText } from "../record/diff.ts";
import {
  type Figure,
  FONT_FAMILY,
  FONT_SIZE,
  INK,
  PANEL_COLOR,
  palette,
  picture,
  QUIET,
  SMALL_FONT_SIZE,
} from "../report/style.ts";
import { exact, percent, short, toText, whole } from "../report/table.ts";
import { levelNames } from "../tensor/x86/library.ts";
import type { Diagnosis } from "./diagnose.ts";

/** The diagnosis in sentences, a paragraph a question, each with what was measured and what follows; the suggestion last. */
export function diagnosisText(found: Diagnosis): string {
  const { method, task, model, weights, settings, loss, products, processor } = found;
  const kept = weights === undefined ? "" : ` (weights in ${weightsText(weights)})`;
  const head = `${method} on ${task}, ${model}${kept}: lr ${exact(settings.lr)}, eps ${exact(settings.eps)}, batch ${settings.batchSize}, seed ${settings.seed}; the loss is ${loss.toFixed(3)}. Computed with products ${products}, on ${levelNames[processor]}.`;
  const parts = paragraphs(PARTS.map(([name, sentence]) => [name, sentence(found)]));
  return [head, "", parts, "", paragraphs([["To begin with", suggestionText(found)]])].join("\n");
}

const PARTS: readonly (readonly [name: string, sentence: (found: Diagnosis) => string])[] = [
  ["Prompt", promptText],
  ["Eps", plateauText],
  ["Rounding", roundingText],
  ["Signal", signalText],
  ["Halves", halvesText],
  ["Curvature", curvatureText],
  ["Updates", updatesText],
];

const FLOORS = { majority: "the majority class", guessing: "guessing" } as const;

function promptText({ prompt: { metric, rows, zeroShot, floor, above } }: Diagnosis): string {
  const score = ({ score, standardError }: typeof zeroShot): string =>
    `${percent(score)} ± ${percent(standardError)} %`;
  const begin = `Zero-shot has a dev ${metric} of ${score(zeroShot)} over ${whole(rows)} rows`;
  if (!floor) return `${begin}; answers are written out here, so it cannot be compared with guessing.`;
  const both = `${begin}, ${FLOORS[floor.kind]} ${score(floor)}`;
  if (above === undefined) return `${both}.`;
  if (above > 2) return `${both}: the prompt makes the model know something of the task, which MeZO builds on.`;
  return `${both}: not clearly better. MeZO needs a prompt that makes the task easy for the model: look at the prompt, the labels' words and the model before tuning.`;
}

function plateauText({ plateau, settings: { eps }, suggested, sweep }: Diagnosis): string {
  const [least, most] = [sweep.eps[0]!, sweep.eps.at(-1)!];
  if (!plateau)
    return `g depends on eps everywhere from ${short(least)} to ${short(most)}: no estimate is to be trusted. Look at whether the losses are those that you mean.`;
  const below = plateau.from > least ? "below, rounding decides" : "smaller ones were not tried";
  const above = plateau.to < most ? "above, how the loss bends" : "larger ones were not tried";
  const flat = `g stays within 10 % from eps ${short(plateau.from)} to ${short(plateau.to)} (${below}; ${above}).`;
  if (suggested.eps === eps) return `${flat} ${exact(eps)} is inside it.`;
  return `${flat} ${exact(eps)} lies ${eps < plateau.from ? "below" : "above"}; ${exact(suggested.eps)} is well inside.`;
}

function roundingText({ rounding: { deviation, share }, settings: { eps } }: Diagnosis): string {
  if (!Number.isFinite(share)) return `At eps ${exact(eps)} a loss is not finite or no loss changes: g cannot be used.`;
  const words = `At eps ${exact(eps)} g is off by ${short(deviation)} through float rounding, ${portion(share)} of its size`;
  return share > 0.1 ? `${words}: too much, take a larger eps.` : `${words}: that is not what limits it.`;
}

function signalText({ signal, settings: { batchSize } }: Diagnosis): string {
  const { draws, batches, meanSize, overDraws, overBatches, ratio, evenBatch } = signal;
  const other = batches > 1 ? `, over ${batches} batches of ${batchSize} under one z of ${short(overBatches)}` : "";
  const spread = `|g| is ${short(meanSize)} in the mean of ${draws} z; over z on one batch g has a deviation of ${short(overDraws)}${other}.`;
  if (ratio === 0)
    return `${spread} No signal was found that batches share: it is smaller than chance in their choice.`;
  if (ratio === Number.POSITIVE_INFINITY) return `${spread} All batches say the same.`;
  const even = evenBatch < 1.5 ? "a single example" : `${whole(evenBatch)} examples`;
  return `${spread} Signal to noise of one batch is ${short(ratio)}; it would be 1 with ${even}.`;
}

function halvesText({ signal: { agreement }, suggested, settings: { batchSize } }: Diagnosis): string {
  if (!agreement) return "A batch of one example has no halves.";
  const { same, of } = agreement;
  const words = `Two halves of a batch give g the same sign in ${same} of ${of} cases (by chance ${short(of / 2)})`;
  if (suggested.batchSize > batchSize) return `${words}: larger batches pay; ${suggested.batchSize} to begin with.`;
  return `${words}: a batch of ${batchSize} does; it may be raised when the loss is low, as the signal shrinks with it.`;
}

function curvatureText({ curvature, bestRate, suggested, signal, settings: { lr } }: Diagnosis): string {
  const { eps, mean, standardError } = curvature;
  const words = `Along z the loss bends by ${short(mean)} ± ${short(standardError)} (measured at eps ${exact(eps)})`;
  if (bestRate === undefined || suggested.lr === undefined)
    return `${words}${signal.ratio === 0 ? ", but there is no signal to follow" : ", not upwards"}: no learning rate follows from it; begin with the paper's grid (Tables 15 and 16).`;
  const best = `${words}: the first step lowers it most with a learning rate of ${short(bestRate)}, with twice that not at all. As the signal shrinks with the loss, a run needs about a tenth.`;
  if (lr > bestRate) return `${best} ${exact(lr)} is too large.`;
  if (lr > 4 * suggested.lr) return `${best} ${exact(lr)} is likely too large for a long run.`;
  return lr < suggested.lr / 10 ? `${best} ${exact(lr)} is safe, but slow.` : `${best} ${exact(lr)} is about that.`;
}

function updatesText({ swallowed, weights, method, settings: { lr } }: Diagnosis): string {
  const share = (count: number): string => portion(count / swallowed.of);
  const full = `At lr ${exact(lr)} a step leaves ${share(swallowed.float32)} of ${whole(swallowed.of)} weights as they are in float32`;
  if (method !== "MeZO") return `${full}${warning(swallowed.float32 / swallowed.of)}.`;
  const halves = `float16 would leave ${share(swallowed.float16)}, bfloat16 ${share(swallowed.bfloat16)}`;
  const rounds =
    weights?.rounding === "nearest"
      ? "these weights are rounded so: take stochastic rounding, which loses nothing in the mean"
      : "where steps are rounded to the nearest number; stochastic rounding loses nothing in the mean";
  return `${full}${warning(swallowed.float32 / swallowed.of)}; ${halves} ${rounds}.`;
}

const warning = (share: number): string => (share > 0.5 ? ": most of it is lost, the rate is too small" : "");

function suggestionText({ suggested: { eps, lr, batchSize }, settings }: Diagnosis): string {
  const rate = lr === undefined ? `--lr ${exact(settings.lr)} (nothing better was found)` : `--lr ${exact(lr)}`;
  return `--eps ${exact(eps)} ${rate} --batch-size ${batchSize}. A starting point, from the weights before any step: try the rate three times larger and smaller too.`;
}

/** A share in percent; what is little is not made nothing. */
function portion(share: number): string {
  if (share > 0 && share < 0.0005) return "less than 0.1 %";
  return `${percent(share)} %`;
}

/** Names, and beside each its paragraph. */
function paragraphs(rows: readonly (readonly [name: string, text: string])[]): string {
  const columns = [13, 95].map((width) => ({ name: "", align: "left", width }) as const);
  return toText({ columns, rows });
}

/** A colour and a shape for each z. */
const DRAWS = [
  { color: palette.blue, symbol: "circle" },
  { color: palette.vermillion, symbol: "square" },
  { color: palette.green, symbol: "diamond" },
];

/** How far beyond what lies on the plateau the axis of g goes, as a share of the widest g there. */
const BEYOND = 1.6;

/** How much larger plotly.js writes powers of ten than other numbers. */
const POWERS = 1.25;

/** Room around the plot in pixels. */
const MARGIN = { l: 70, r: 12, t: 40, b: 108 } as const;

/** The figure of g over eps, a line for each z that was swept: the plateau shaded, the eps in question and the suggested one marked. */
export function plotPlateau(found: Diagnosis): Figure {
  const limit = findLimit(found);
  const plain = { showline: true, linecolor: INK, ticks: "outside", tickcolor: INK, zeroline: false, fixedrange: true };
  const { settings, suggested } = found;
  return {
    data: [
      ...found.sweep.slopes.map((slopes, z) => sweepLine(found.sweep.eps, slopes, z, limit)),
      ...(settings.eps === suggested.eps
        ? [upright(`eps ${exact(settings.eps)}, kept`, settings.eps, limit, "solid")]
        : [
            upright(`eps ${exact(settings.eps)}`, settings.eps, limit, "dash"),
            upright(`suggested ${exact(suggested.eps)}`, suggested.eps, limit, "solid"),
          ]),
    ],
    layout: {
      ...picture,
      margin: MARGIN,
      ...{ paper_bgcolor: "#ffffff", plot_bgcolor: "rgba(0,0,0,0)" },
      font: { family: FONT_FAMILY, size: FONT_SIZE, color: INK },
      legend: { x: 1.01, xanchor: "left", y: 1, yanchor: "top" },
      xaxis: {
        ...{ ...plain, type: "log", range: [-6.15, 0.15], dtick: 1, exponentformat: "power" },
        ...{ showgrid: false, tickfont: { size: FONT_SIZE / POWERS } },
        title: axisTitle("eps, the size of the perturbation"),
      },
      yaxis: {
        ...{ ...plain, range: [-limit, limit], gridcolor: "#e2e2e2" },
        title: axisTitle("Projected gradient g"),
      },
      shapes: plateauShapes(found),
      annotations: [title(found), caption(found)],
    },
  };
}

const axisTitle = (text: string): Record<string, unknown> => ({ text, font: { size: FONT_SIZE }, standoff: 8 });

/** The largest |g| that is shown: what lies far off the plateau says no more than that it is off. */
function findLimit({ sweep, plateau }: Diagnosis): number {
  const seen = sweep.slopes.flatMap((slopes) =>
    slopes.filter((_, i) => !plateau || (sweep.eps[i]! >= plateau.from && sweep.eps[i]! <= plateau.to)),
  );
  return BEYOND * Math.max(...seen.filter(Number.isFinite).map(Math.abs), Number.MIN_VALUE);
}

/** A z's line, cut at the edges of the picture. */
function sweepLine(
  eps: readonly number[],
  slopes: readonly number[],
  z: number,
  limit: number,
): Record<string, unknown> {
  const { color, symbol } = DRAWS[z % DRAWS.length]!;
  const shown = slopes.map((slope) => (Math.abs(slope) <= limit ? slope : null));
  return {
    ...{ type: "scatter", mode: "lines+markers", name: `z of step ${z}`, x: eps, y: shown, connectgaps: false },
    ...{ line: { color, width: 2 }, marker: { color, symbol, size: 8 }, cliponaxis: false, hoverinfo: "skip" },
  };
}

function upright(name: string, eps: number, limit: number, dash: "dash" | "solid"): Record<string, unknown> {
  const line = { color: QUIET, width: 1.5, dash };
  return { type: "scatter", mode: "lines", name, x: [eps, eps], y: [-limit, limit], line, hoverinfo: "skip" };
}

function plateauShapes({ plateau }: Diagnosis): Record<string, unknown>[] {
  if (!plateau) return [];
  const across = { x0: plateau.from, x1: plateau.to, yref: "paper", y0: 0, y1: 1 };
  return [{ type: "rect", ...across, fillcolor: PANEL_COLOR, line: { width: 0 }, layer: "below" }];
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
