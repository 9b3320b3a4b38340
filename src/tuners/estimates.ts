import { defineTuner } from "./define.ts";
import type { Line } from "./line.ts";
import { type Estimate, estimate, finiteLoss, summarizeEstimates } from "./mezo.ts";
import type { Tuner } from "./tuner.ts";
import {
  describeZeroth,
  oneOf,
  refuseUnless,
  type Schedule,
  schedules,
  wholeFromOne,
  type ZerothOptions,
  zerothOptions,
  zerothOrder,
} from "./zeroth.ts";

/** Settings of MeZO with n-SPSA. */
export interface NSpsaOptions extends ZerothOptions {
  /** How many z a step has, or has at the end where the number grows. */
  readonly n: number;
  /** Whether n is the same at all steps, or grows linearly from 1. */
  readonly samples?: Schedule;
  /** What becomes of the n estimates; a sum is an average with n times the learning rate. */
  readonly combine?: "average" | "sum";
}

const SHARE = { average: (n: number): number => 1 / n, sum: (): number => 1 } as const;

/** The number of z at a step: n, or max(1, floor(step / total · n)) where it grows. */
export function samplesAt(samples: Schedule, n: number, step: number, total: number): number {
  return samples === "linear" ? Math.max(1, Math.floor((step / total) * n)) : n;
}

/** The estimates along several lines from where theta is: all at once where theta stays there meanwhile, or one after the other. */
export const estimateAll = (lines: readonly Line[], eps: number): Promise<Estimate[]> =>
  lookAlong(lines, (line) => estimate(line, eps));

/** What is found along each of several lines: all at once where theta stays meanwhile, or one after the other. */
export async function lookAlong<Found>(
  lines: readonly Line[],
  look: (line: Line, i: number) => Promise<Found>,
): Promise<Found[]> {
  if (lines.every(({ isStill }) => isStill)) return Promise.all(lines.map(look));
  const found: Found[] = [];
  for (const [i, line] of lines.entries()) found.push(await look(line, i));
  return found;
}

const N_SPSA = "MeZO-n-SPSA";

/**
 * MeZO with n-SPSA (Algorithm 2): n estimates along n different z, all from the same weights and the same batch. Unlike
 * Algorithm 2, which draws a batch for each, but like the authors' code.
 */
export const nSpsa: (options: NSpsaOptions) => Tuner = defineTuner(N_SPSA, (options) => {
  const settings = zerothOptions(N_SPSA, options, ["n", "samples", "combine"]);
  const { eps, weightDecay } = settings;
  const { n, samples = "constant", combine = "average" } = options;
  refuseUnless(N_SPSA, [
    wholeFromOne("n", n),
    oneOf("samples", samples, schedules),
    oneOf("combine", combine, Object.keys(SHARE)),
  ]);
  const begin = zerothOrder(settings, (theta, along) => async ({ objective, z, lr, step, total }) => {
    const length = samplesAt(samples, n, step, total);
    const lines = Array.from({ length }, (_, index) => along(theta, objective, { ...z, index }));
    const found = await estimateAll(lines, eps);
    const share = lr * SHARE[combine](length);
    lines.forEach((line, j) => {
      line.perturb(-share * found[j]!.projectedGrad);
      line.settle(j === 0 ? lr * weightDecay : 0);
    });
    return summarizeEstimates(found);
  });
  return { options: { ...describeZeroth(settings), n, samples, combine }, begin };
});

const ONE_POINT = "MeZO-one-point";

/**
 * MeZO with the one-point estimate with residual feedback (Table 11): one forward pass a step, and the estimate is
 * (L(theta + eps z) of this step − that of the step before) / eps. The first step has none before, and only looks.
 */
export const onePoint: (options: ZerothOptions) => Tuner = defineTuner(ONE_POINT, (options) => {
  const settings = zerothOptions(ONE_POINT, options);
  const { eps, weightDecay } = settings;
  const begin = zerothOrder(settings, (theta, along) => {
    let before: number | undefined;
    return async ({ objective, z, lr }) => {
      const line = along(theta, { value: () => objective.value() }, z); // one side alone: a pair would be a second pass
      line.perturb(+eps);
      const loss = await finiteLoss(line);
      line.perturb(-eps);
      const projectedGrad = before === undefined ? 0 : (loss - before) / eps;
      before = loss;
      line.perturb(-lr * projectedGrad);
      line.settle(lr * weightDecay);
      return { loss, lossPlus: loss, projectedGrad };
    };
  });
  return { options: describeZeroth(settings), begin };
});
