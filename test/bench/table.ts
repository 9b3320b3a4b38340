import { numberColumns, toTerminal } from "../../src/report/table.ts";
import type { Ceilings } from "./ceilings.ts";
import { ceilingsText } from "./ceilingsText.ts";
import { benchModels } from "./models.ts";
import type { BenchRequest } from "./request.ts";
import { type BenchRow, peaksToMezo } from "./row.ts";

const MIB = 2 ** 20;

const HEAD = [
  "",
  "step, s",
  "passes, s",
  "noise, s",
  "GFLOPS",
  "of ceiling",
  "in graphs",
  "tokens/s",
  "peak, MiB",
  "time",
  "memory",
  "step/limit",
];

/** What `npm run bench` prints: what was measured, the ceilings, and a table a model with what follows from it. */
export function benchText(request: BenchRequest, rows: readonly BenchRow[], ceilings: Ceilings): string {
  const models = [...new Set(rows.map(({ model }) => model))];
  const parts = models.map((model) =>
    modelText(
      model,
      rows.filter((row) => row.model === model),
    ),
  );
  return [headline(request), ceilingsText(ceilings), ...parts, LEGEND].join("\n");
}

function headline({ rows, tokens, threads, noise, loss, weights, steps }: BenchRequest): string {
  const of = { answer: "language-model loss of each row's last token", candidates: "two one-token candidates a row" };
  return `${rows} rows x ${tokens} tokens, ${threads} threads, ${noise} noise, ${of[loss]}, weights in ${weights}; medians of ${steps} steps`;
}

const LEGEND =
  "passes: forward and backward, without noise. time, memory: over those of zero-shot. limit: the step's operations at the ceiling and z twice for each trained weight.";

function modelText(model: string, rows: readonly BenchRow[]): string {
  const table = toTerminal({ columns: numberColumns(HEAD), rows: rows.map(cellsOf) });
  const peaks = Object.entries(peaksToMezo(rows)).map(([method, ratio]) => `${method} ${ratio.toFixed(2)}`);
  const compared = peaks.length > 0 ? [`Peak memory over MeZO's: ${peaks.join(", ")}`] : [];
  return ["", benchModels[model]!.title, table, ...compared].join("\n");
}

function cellsOf(row: BenchRow): string[] {
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  const ratio = (value: number | undefined): string => value?.toFixed(2) ?? "";
  return [
    row.method,
    ...[row.stepSeconds, row.passSeconds, row.noiseSeconds].map((seconds) => seconds.toFixed(3)),
    row.gflops.toFixed(0),
    percent(row.ofCeiling),
    percent(row.inGraphs),
    row.tokensPerSecond.toFixed(0),
    (row.peakBytes / MIB).toFixed(0),
    ...[row.timeToInference, row.memoryToInference, row.stepToLimit].map(ratio),
  ];
}
