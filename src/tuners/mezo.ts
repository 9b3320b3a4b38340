import { NotFinite } from "../error.ts";
import type { Draw } from "../tensor/parameter.ts";
import { defineTuner } from "./define.ts";
import type { Line } from "./line.ts";
import type { StepResult, Tuner } from "./tuner.ts";
import { describeZeroth, type Zeroth, type ZerothOptions, zerothOptions, zerothOrder } from "./zeroth.ts";

/** What two evaluations tell: the derivative along z, up to terms of eps². */
export interface Estimate {
  readonly lossPlus: number;
  readonly lossMinus: number;
  readonly projectedGrad: number;
}

/** Algorithm 1, one step: theta moves along one z by what the losses on both sides of it say. */
export async function algorithm1({ perturb, loss }: Line, eps: number, lr: number): Promise<Estimate> {
  perturb(+eps);
  const lossPlus = await loss();
  perturb(-2 * eps);
  const lossMinus = await loss();
  perturb(+eps); // theta is back where the step began
  const projectedGrad = Math.fround((lossPlus - lossMinus) / (2 * eps)); // four bytes a step
  perturb(-lr * projectedGrad);
  return { lossPlus, lossMinus, projectedGrad };
}

/** Settings of MeZO; the paper's grids are in Tables 15 and 16. */
export type MezoOptions = ZerothOptions;

/** MeZO (Algorithm 1): two forward passes at theta ± eps z give one number, and theta moves along the same z, generated again from its seed. */
export const mezo: (options: MezoOptions) => Tuner = defineTuner(
  "MeZO",
  (options) => {
    const settings = zerothOptions("MeZO", options);
    return { options: describeZeroth(settings), begin: followEstimates(settings) };
  },
  { byEstimate: true },
);

/** Steps of Algorithm 1, whatever the tuner's name. */
export function followEstimates(settings: Zeroth): Tuner["begin"] {
  const { eps, weightDecay } = settings;
  return zerothOrder(settings, (theta, along) => async ({ objective, z, lr }) => {
    const line = along(theta, objective, z);
    return summarizeEstimate(await estimate(line, eps, { lr, decay: lr * weightDecay }));
  });
}

/** How a step descends: at which rate, and the share that decaying weights lose. */
interface Descent {
  readonly lr?: number;
  readonly decay?: number;
}

/**
 * Algorithm 1 with theta settled after it: without a learning rate it is the estimate alone (SPSA, Definition 1), and theta is back where it
 * was. Throws a NotFinite where a loss is not finite, with theta back where it was.
 */
export async function estimate(line: Line, eps: number, { lr = 0, decay = 0 }: Descent = {}): Promise<Estimate> {
  const found = await algorithm1(line, eps, lr);
  if (!Number.isFinite(found.projectedGrad)) {
    line.goBack();
    const { tuner, z } = line;
    throw new NotFinite(
      `${tuner} stopped at step ${z.step}: the losses at theta + eps z and theta - eps z are ${found.lossPlus} and ${found.lossMinus}; ${adviceAt(z)}.`,
    );
  }
  line.settle(decay);
  return found;
}

/** As `line.loss`; throws a NotFinite where it is not finite, with theta back where it was. */
export async function finiteLoss(line: Line): Promise<number> {
  const loss = await line.loss();
  if (Number.isFinite(loss)) return loss;
  line.goBack();
  throw new NotFinite(`${line.tuner} stopped at step ${line.z.step}: the loss is ${loss}; ${adviceAt(line.z)}.`);
}

/** At the first step no learning rate has done anything yet. */
const adviceAt = ({ step }: Draw): string =>
  step === 0 ? "try a smaller eps, or another model" : "try a learning rate ten times smaller, or a smaller eps";

/** An estimate as a step reports it: its loss is the mean of the two. */
export function summarizeEstimate(found: Estimate): Omit<StepResult, "lr"> {
  return { loss: (found.lossPlus + found.lossMinus) / 2, ...found };
}

/** Several estimates as a step reports them: the mean of the losses, and all the projected gradients. */
export function summarizeEstimates(found: readonly Estimate[]): Omit<StepResult, "lr"> {
  const loss = found.reduce((sum, each) => sum + summarizeEstimate(each).loss, 0) / found.length;
  return { loss, projectedGrad: found.map(({ projectedGrad }) => projectedGrad) };
}
