import { numberColumns, toTerminal } from "../../src/report/table.ts";
import type { PowerFit } from "./fit.ts";
import { benchModels } from "./models.ts";
import { type Growth, growthOf, memoryToInference } from "./scaleGrowth.ts";
import { BATCH_MODEL, type Series } from "./scalePlan.ts";
import type { ScalePoint } from "./scaleResults.ts";

const MIB = 2 ** 20;

const HEAD = ["", "method", "weights", "weights, MiB", "step, s", "tokens/s", "GFLOPS", "peak, MiB", "to inference"];

const TITLES: Readonly<Record<Series, string>> = {
  rows: `Rows a batch, ${BATCH_MODEL}`,
  tokens: `Tokens a row, ${BATCH_MODEL}`,
  size: "Weights of the model",
};

/** What each series' time and memory grow with. */
const GROWS_WITH: Readonly<Record<Series, readonly [seconds: string, bytes: string]>> = {
  rows: ["tokens", "tokens"],
  tokens: ["tokens", "tokens"],
  size: ["weights", "bytes of weights"],
};

/** What `npm run bench:scale` prints: a table a series, and how time and memory grow along it. */
export function scaleText(points: readonly ScalePoint[]): string {
  const growth = growthOf(points);
  return [...new Set(points.map(({ series }) => series))]
    .map((series) =>
      seriesText(
        series,
        points,
        growth.find((one) => one.series === series),
      ),
    )
    .join("\n\n");
}

function seriesText(series: Series, points: readonly ScalePoint[], growth: Growth | undefined): string {
  const mine = points.filter((point) => point.series === series);
  const table = toTerminal({ columns: numberColumns(HEAD), rows: mine.map((one) => cellsOf(one, points)) }, true);
  const [seconds, bytes] = GROWS_WITH[series];
  const line =
    growth && `MeZO: ${fitText("seconds", seconds, growth.seconds)}; ${fitText("peak", bytes, growth.bytes)}`;
  return [TITLES[series], table, ...(line ? [line] : [])].join("\n");
}

/** "seconds ~ tokens^1.02 (R² 0.998)". */
function fitText(what: string, by: string, { slope, explained }: PowerFit): string {
  return `${what} ~ (${by})^${slope.toFixed(2)} (R² ${explained.toFixed(3)})`;
}

function cellsOf(point: ScalePoint, points: readonly ScalePoint[]): string[] {
  const { series, request, result } = point;
  const { model, method, rows, tokens, weights } = request;
  const { stepSeconds, passSeconds, flops, peakBytes, weightBytes } = result;
  const batch = `${rows} x ${tokens}`;
  return [
    series === "size" ? `${benchModels[model]!.title.replace(/ with .*/, "")}, ${batch}` : batch,
    ...[method, weights, (weightBytes / MIB).toFixed(0)],
    ...[stepSeconds.toFixed(2), ((rows * tokens) / stepSeconds).toFixed(0), (flops / passSeconds / 1e9).toFixed(0)],
    (peakBytes / MIB).toFixed(0),
    memoryToInference(point, points)?.toFixed(2) ?? "",
  ];
}
