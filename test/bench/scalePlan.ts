import type { WeightFormat } from "../../src/models/weights.ts";
import { INFERENCE } from "./methods.ts";
import { benchModels } from "./models.ts";
import type { BenchRequest, CaseRequest } from "./request.ts";

/** What a series of cases varies. */
export type Series = "rows" | "tokens" | "size";

/** One case of the scale: a step of MeZO, or our own inference beside it. */
export interface ScaleCase {
  readonly series: Series;
  readonly request: CaseRequest;
}

/** What `npm run bench:scale` is asked for. */
export interface ScalePlan {
  readonly series: readonly Series[];
  readonly models: readonly string[];
  /** The batch of the size series. */
  readonly rows: number;
  readonly tokens: number;
  /** Tokens of a whole batch, in the series that vary them. */
  readonly batches: readonly number[];
  readonly size: Pick<BenchRequest, "steps" | "threads" | "noise" | "products">;
}

/** The model of the series that vary the batch, and what they hold fixed. */
export const BATCH_MODEL = "opt-125m";
const FIXED = { tokens: 64, rows: 16 };

/** Models of a billion weights and more are kept in 16 bits: the largest would not fit in 32. */
const formatOf = (model: string): WeightFormat => (benchModels[model]!.millions >= 1000 ? "bfloat16" : "float32");

/** All cases, each once in a series, the smallest first. */
export function scaleCases(plan: ScalePlan): ScaleCase[] {
  const { series, models, rows, tokens, batches, size } = plan;
  const request = (model: string, batch: Pick<BenchRequest, "rows" | "tokens">, method = "MeZO"): CaseRequest => ({
    ...{ model, method, loss: "answer", weights: formatOf(model) },
    ...{ ...size, ...batch },
  });
  const all: Readonly<Record<Series, readonly CaseRequest[]>> = {
    rows: batches.map((all) => request(BATCH_MODEL, { rows: all / FIXED.tokens, tokens: FIXED.tokens })),
    tokens: batches.map((all) => request(BATCH_MODEL, { rows: FIXED.rows, tokens: all / FIXED.rows })),
    size: models.flatMap((model) => ["MeZO", INFERENCE].map((method) => request(model, { rows, tokens }, method))),
  };
  return series.flatMap((one) => all[one].map((request) => ({ series: one, request })));
}

/** A guess of how long a case takes, in units that only compare: weights by tokens, and noise, and loading. */
export function guessWork({ request: { model, rows, tokens, steps } }: ScaleCase): number {
  return benchModels[model]!.millions * ((steps + 1) * (rows * tokens + 300) + 300);
}
