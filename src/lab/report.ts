import { weightsText } from "../record/text.ts";
import {
  exact,
  type Figure,
  FONT_FAMILY,
  FONT_SIZE,
  INK,
  margin,
  PANEL_COLOR,
  picture,
  QUIET,
  SMALL_FONT_SIZE,
  short,
} from "../report/style.ts";
import { percent, whole } from "../report/table.ts";
import type { Diagnosis } from "./diagnose.ts";

/** The diagnosis in sentences, a paragraph a question, each with what was measured and what follows; the suggestion last. */
export function diagnosisText(found: Diagnosis): string {
  const { method, task, model, weights, settings, loss } = found;
  const kept = weights === undefined ? "" : ` (weights in ${weightsText(weights)})`;
  const head = `${method} on ${task}, ${model}${kept}: lr ${exact(settings.lr)}, eps ${exact(settings.eps)}, batch ${settings.batchSize}, seed ${settings.seed}; the loss is ${loss.toFixed(3)}.`;
  const parts = PARTS.map(([name, sentence]) => wrapped(name, sentence(found)));
  return [head, "", ...parts, "", suggestionText(found)].join("\n");
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

function promptText({ prompt: { metric, rows, zeroShot, floor, above } }: Diagnosis): string {
  const score = ({ score, standardError }: typeof zeroShot): string =>
    `${percent(score)} ± ${percent(standardError)} %`;
  const begin = `Zero-shot has a dev ${metric} of ${score(zeroShot)} over ${whole(rows)} rows`;
  if (!floor) return `${begin}; answers are written out here, so that there is no guessing to compare it with.`;
  const both = `${begin}, ${floor.name} ${score(floor)}`;
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
  if (suggested.eps === eps) return `${flat} ${exact(eps)} lies there.`;
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
  return wrapped(
    "To begin with",
    `--eps ${exact(eps)} ${rate} --batch-size ${batchSize}. A starting point, from the weights before any step: try the rate three times larger and smaller too.`,
  );
}

/** A share in percent; what is little is not made nothing. */
function portion(share: number): string {
  if (share > 0 && share < 0.0005) return "less than 0.1 %";
  return `${percent(share)} %`;
}

const NAME_WIDTH = 15;
const LINE_WIDTH = 110;

/** A name, and beside it lines of words. */
function wrapped(name: string, text: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= LINE_WIDTH - NAME_WIDTH)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line, i) => `${(i === 0 ? name : "").padEnd(NAME_WIDTH)}${line}`).join("\n");
}

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
