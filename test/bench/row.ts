import type { Ceilings } from "./ceilings.ts";
import { type Limit, limitOf, limitSeconds, productCeiling } from "./limit.ts";
import type { CaseResult } from "./measure.ts";
import { benchMethod, INFERENCE, isBackpropagated } from "./methods.ts";
import type { CaseRequest } from "./request.ts";

/** A case with what follows from its measurement. */
export interface BenchRow extends CaseResult {
  readonly model: string;
  readonly method: string;
  /** Floating-point operations a second in the passes, in billions, and their share of the product's ceiling. */
  readonly gflops: number;
  readonly ofCeiling: number;
  /** Tokens of the batch by seconds of a step. */
  readonly tokensPerSecond: number;
  /** Seconds that the step's work takes at the ceilings: its operations, and z made twice for each trained weight. Of MeZO alone. */
  readonly limit?: Limit;
  readonly limitSeconds?: number;
  readonly stepToLimit?: number;
  /** Step time and peak memory over those of the same model's forward pass, where that was measured. */
  readonly timeToInference?: number;
  readonly memoryToInference?: number;
}

/** A case and its measurement. */
export interface Measured {
  readonly request: CaseRequest;
  readonly result: CaseResult;
}

/** The rows of the cases, in order. */
export function rowsOf(measured: readonly Measured[], ceilings: Ceilings): BenchRow[] {
  return measured.map(({ request, result }) => {
    const { model, method, rows, tokens } = request;
    const inference = measured.find(({ request: r }) => r.model === model && r.method === INFERENCE)?.result;
    return {
      ...{ model, method, ...result },
      gflops: result.flops / result.passSeconds / 1e9,
      ofCeiling: result.flops / result.passSeconds / productCeiling(ceilings, result.products),
      tokensPerSecond: (rows * tokens) / result.stepSeconds,
      ...limitFields(request, result, ceilings),
      ...(inference && {
        timeToInference: result.stepSeconds / inference.stepSeconds,
        memoryToInference: result.peakBytes / inference.peakBytes,
      }),
    };
  });
}

function limitFields(
  request: CaseRequest,
  result: CaseResult,
  ceilings: Ceilings,
): Pick<BenchRow, "limit" | "limitSeconds" | "stepToLimit"> {
  const limit = limitOf(request, result, ceilings);
  if (!limit) return {};
  return { limit, limitSeconds: limitSeconds(limit), stepToLimit: result.stepSeconds / limitSeconds(limit) };
}

/** Peak memory of fine-tuning over that of MeZO on the same model, by method, where all were measured. */
export function peaksToMezo(rows: readonly BenchRow[]): Readonly<Record<string, number>> {
  const mezo = rows.find(({ method }) => method === "MeZO");
  if (!mezo) return {};
  const tuned = rows.filter(({ model, method }) => model === mezo.model && isBackpropagated(benchMethod(method)));
  return Object.fromEntries(tuned.map(({ method, peakBytes }) => [method, peakBytes / mezo.peakBytes]));
}
