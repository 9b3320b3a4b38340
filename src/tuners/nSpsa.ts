import type { Draw } from "../tensor/parameter.ts";
import { descend } from "./descend.ts";
import { describe, oneOf, refuseUnless, wholeFromOne, type ZerothOptions, zerothOptions } from "./options.ts";
import { type Schedule, scheduled, schedules } from "./schedule.ts";
import { type Estimate, estimate, meanLoss } from "./spsa.ts";
import type { Training, Tuner } from "./tuner.ts";

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

/**
 * MeZO with n-SPSA (Algorithm 2): n estimates along n different z, all from the same weights and the same batch. Unlike
 * Algorithm 2, which draws a batch for each, but like the authors' code.
 */
export function nSpsa(options: NSpsaOptions): Tuner {
  const name = "MeZO-n-SPSA";
  const settings = zerothOptions(name, options, ["n", "samples", "combine"]);
  const { lr: peak, eps, schedule, weightDecay, noise } = settings;
  const { n, samples = "constant", combine = "average" } = options;
  refuseUnless(name, [
    wholeFromOne("n", n),
    oneOf("samples", samples, schedules),
    oneOf("combine", combine, Object.keys(SHARE)),
  ]);
  const begin: Tuner["begin"] = (theta) => {
    const step: Training["step"] = async (objective, { seed, step, total }) => {
      const lr = peak * scheduled(schedule, step, total);
      const draws: Draw[] = Array.from({ length: samplesAt(samples, n, step, total) }, (_, index) => ({
        seed,
        step,
        index,
      }));
      const found: Estimate[] = [];
      for (const z of draws) found.push(await estimate(theta, objective, { noise, eps, z }));
      const share = lr * SHARE[combine](draws.length);
      draws.forEach((z, j) => {
        descend(theta, noise, z, { by: share * found[j]!.projectedGrad, decay: j === 0 ? lr * weightDecay : 0 });
      });
      return { lr, ...summary(found) };
    };
    return { step, dispose: () => {} };
  };
  return { name, options: { ...describe(settings), n, samples, combine }, begin };
}

/** Several estimates as a step reports them: the mean of the losses, and all the projected gradients. */
export function summary(found: readonly Estimate[]): { loss: number; projectedGrad: readonly number[] } {
  const loss = found.reduce((sum, each) => sum + meanLoss(each), 0) / found.length;
  return { loss, projectedGrad: found.map(({ projectedGrad }) => projectedGrad) };
}
