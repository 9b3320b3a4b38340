import { fitPower, type PowerFit } from "./fit.ts";
import { INFERENCE } from "./methods.ts";
import type { Series } from "./scalePlan.ts";
import type { ScalePoint } from "./scaleResults.ts";

/** How a step's seconds and its peak memory grow along a series. */
export interface Growth {
  readonly series: Series;
  readonly seconds: PowerFit;
  readonly bytes: PowerFit;
}

/** By what a series grows: tokens of the batch, or weights; memory grows by the bytes of the weights. */
const GROWS_BY: Readonly<Record<Series, { readonly seconds: Of; readonly bytes: Of }>> = {
  rows: { seconds: tokensOf, bytes: tokensOf },
  tokens: { seconds: tokensOf, bytes: tokensOf },
  size: { seconds: ({ result }) => result.weights, bytes: ({ result }) => result.weightBytes },
};

type Of = (point: ScalePoint) => number;

/** Tokens of the whole batch. */
export function tokensOf({ request: { rows, tokens } }: Pick<ScalePoint, "request">): number {
  return rows * tokens;
}

/** The growth of MeZO's steps along each series of which two points differ. */
export function growthOf(points: readonly ScalePoint[]): Growth[] {
  const steps = points.filter(({ request }) => request.method !== INFERENCE);
  return [...new Set(steps.map(({ series }) => series))].flatMap((series) => {
    const mine = steps.filter((point) => point.series === series);
    const by = GROWS_BY[series];
    const seconds = fitPower(mine.map((point) => [by.seconds(point), point.result.stepSeconds]));
    const bytes = fitPower(mine.map((point) => [by.bytes(point), point.result.peakBytes]));
    return seconds && bytes ? [{ series, seconds, bytes }] : [];
  });
}

/** Peak memory of a step over that of our own inference of the same model and batch, where that was measured. */
export function memoryToInference(point: ScalePoint, points: readonly ScalePoint[]): number | undefined {
  const { model, rows, tokens, method } = point.request;
  const inference = points.find(
    ({ series, request: r }) =>
      series === point.series && r.method === INFERENCE && r.model === model && r.rows === rows && r.tokens === tokens,
  );
  return inference && method !== INFERENCE ? point.result.peakBytes / inference.result.peakBytes : undefined;
}
