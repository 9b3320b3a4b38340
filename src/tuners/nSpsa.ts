import { defineTuner } from "./define.ts";
import { type Estimate, estimate, reportAll } from "./mezo.ts";
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

const NAME = "MeZO-n-SPSA";

/**
 * MeZO with n-SPSA (Algorithm 2): n estimates along n different z, all from the same weights and the same batch. Unlike
 * Algorithm 2, which draws a batch for each, but like the authors' code.
 */
export const nSpsa: (options: NSpsaOptions) => Tuner = defineTuner(NAME, (options) => {
  const settings = zerothOptions(NAME, options, ["n", "samples", "combine"]);
  const { eps, weightDecay } = settings;
  const { n, samples = "constant", combine = "average" } = options;
  refuseUnless(NAME, [
    wholeFromOne("n", n),
    oneOf("samples", samples, schedules),
    oneOf("combine", combine, Object.keys(SHARE)),
  ]);
  const begin = zerothOrder(settings, (theta, along) => async ({ objective, z, lr, step, total }) => {
    const length = samplesAt(samples, n, step, total);
    const lines = Array.from({ length }, (_, index) => along(theta, objective, { ...z, index }));
    const found: Estimate[] = [];
    for (const line of lines) found.push(await estimate(line, eps));
    const share = lr * SHARE[combine](length);
    lines.forEach((line, j) => {
      line.perturb(-share * found[j]!.projectedGrad);
      line.settle(j === 0 ? lr * weightDecay : 0);
    });
    return reportAll(found);
  });
  return { options: { ...describeZeroth(settings), n, samples, combine }, begin };
});
