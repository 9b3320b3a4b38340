import { deferSweeps } from "../tensor/deferred.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { defineTuner } from "./define.ts";
import { lookAlong } from "./estimates.ts";
import type { Line } from "./line.ts";
import { finiteLoss } from "./mezo.ts";
import type { Tuner } from "./tuner.ts";
import {
  type Along,
  describeZeroth,
  refuseUnless,
  wholeFromOne,
  type Zeroth,
  type ZerothOptions,
  type ZerothStep,
  zerothOptions,
  zerothOrder,
} from "./zeroth.ts";

/** Settings of tuners that look at one side of theta, along several z a step. */
export interface OneSidedOptions extends ZerothOptions {
  /** How many z a step has: 8 of FZOO's, 30 of evolution strategies where it is left out; at least 2. */
  readonly n?: number;
}

const FZOO = "FZOO";

/**
 * FZOO (Dang et al. 2025, arXiv 2506.09034): of n + 1 forward passes one is at theta, the others at theta + eps z for n vectors z of signs. theta moves by
 * −lr / deviation times the mean of (L(theta + eps z) − L(theta)) / eps · z: the flatter the n losses, whose sample deviation that is, the longer the step.
 * Where they are all the same theta stays. A step's `projectedGrad` are the n slopes over the deviation. Unlike the paper, which runs the n
 * passes as one batch, they follow each other: on a CPU several in one take as long as each by itself.
 */
export const fzoo: (options: OneSidedOptions) => Tuner = defineTuner(FZOO, ({ n = 8, ...options }: OneSidedOptions) => {
  const settings = zerothOptions(FZOO, { noise: "rademacher", ...options });
  const { eps } = settings;
  refuseUnless(FZOO, [wholeFromOne("n", n), severalZ(n)]);
  const begin = alongSeveral(settings, async (theta, along, at) => {
    const lines = aside(theta, along, at, n);
    const [loss, ...losses] = (await lossesAlong([alone(theta, along, at), ...lines], [0, ...Array(n).fill(eps)])) as [
      number,
      ...number[],
    ];
    const deviation = deviationOf(losses);
    const slopes = losses.map((beside) => (deviation > 0 ? (beside - loss) / eps / deviation : 0));
    return { loss, lines, slopes };
  });
  return { options: { ...describeZeroth(settings), n }, begin, passes: "side" };
});

const STRATEGIES = "Evolution strategies";

/**
 * Evolution strategies (Salimans et al. 2017), as they fine-tune language models in arXiv 2509.24372: of n forward passes at theta + eps z each loss is
 * taken as how many deviations it lies above their mean, and theta moves by −lr times the mean of these numbers · z. So only their order and
 * spread count: with `maximize` rewards as coarse as accuracy do. Where all n losses are the same theta stays. What a step reports as
 * `projectedGrad` are those numbers.
 */
export const evolutionStrategies: (options: OneSidedOptions) => Tuner = defineTuner(
  STRATEGIES,
  ({ n = 30, ...options }: OneSidedOptions) => {
    const settings = zerothOptions(STRATEGIES, options);
    const { eps } = settings;
    refuseUnless(STRATEGIES, [wholeFromOne("n", n), severalZ(n)]);
    const begin = alongSeveral(settings, async (theta, along, at) => {
      const lines = aside(theta, along, at, n);
      const losses = await lossesAlong(lines, Array(n).fill(eps));
      const [loss, deviation] = [meanOf(losses), deviationOf(losses)];
      const slopes = losses.map((beside) => (deviation > 0 ? (beside - loss) / deviation : 0));
      return { loss, lines, slopes };
    });
    return { options: { ...describeZeroth(settings), n }, begin, passes: "side" };
  },
);

const severalZ = (n: number) => [n >= 2, `needs several z a step to tell their losses' deviation, not ${n}`] as const;

/** What a step found: the loss that it reports, and lines through theta with how steep each is. */
interface Slopes {
  readonly loss: number;
  readonly lines: readonly Line[];
  readonly slopes: readonly number[];
}

/** Steps that move theta along all lines that `find` gives by −lr times the mean of slope · z, in one sweep over the weights. */
function alongSeveral(
  settings: Zeroth,
  find: (theta: readonly Parameter[], along: Along, at: ZerothStep) => Promise<Slopes>,
): Tuner["begin"] {
  return (...given) => {
    const sweeps = deferSweeps();
    const noise = sweeps.through(settings.noise);
    const begin = zerothOrder({ ...settings, noise }, (theta, along) => async (at) => {
      const { loss, lines, slopes } = await find(theta, along, at);
      const [lr, decay] = [at.lr / lines.length, at.lr * settings.weightDecay];
      await sweeps.during(async () => descend(lines, slopes, { lr, decay }));
      return { loss, projectedGrad: slopes };
    });
    return begin(...given);
  };
}

/** The line along one z of the step on which every place has a pass of its own: in a pass over both sides one would be for nothing. */
function alone(theta: readonly Parameter[], along: Along, { objective, z }: ZerothStep, index = 0): Line {
  const { side } = objective;
  return along(theta, { value: () => objective.value(), ...(side && { side }) }, { ...z, index });
}

/** The lines along n different z. */
const aside = (theta: readonly Parameter[], along: Along, at: ZerothStep, n: number): Line[] =>
  Array.from({ length: n }, (_, index) => alone(theta, along, at, index));

/** The loss so far along each line; theta is back, up to rounding where it was moved. */
function lossesAlong(lines: readonly Line[], distances: readonly number[]): Promise<number[]> {
  return lookAlong(lines, async (line, i) => {
    line.perturb(+distances[i]!);
    const loss = await finiteLoss(line);
    line.perturb(-distances[i]!);
    line.settle();
    return loss;
  });
}

/** Moves theta along all lines, by −lr times what each has; decaying weights lose a share once. */
function descend(
  lines: readonly Line[],
  slopes: readonly number[],
  { lr, decay }: { readonly lr: number; readonly decay: number },
): void {
  for (const [i, line] of lines.entries()) {
    line.perturb(-lr * slopes[i]!);
    line.settle(i === 0 ? decay : 0);
  }
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The sample deviation; exactly 0 where all are the same, from which their mean may differ by rounding. */
function deviationOf(values: readonly number[]): number {
  if (values.every((value) => value === values[0])) return 0;
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
