import type { Curvature } from "./curvature.ts";
import type { Plateau } from "./plateau.ts";
import type { Signal } from "./signal.ts";

/** Settings to begin with. */
export interface Suggested {
  readonly eps: number;
  /** Absent where the measurements do not tell: no signal, or a loss that does not bend upwards. */
  readonly lr?: number;
  readonly batchSize: number;
}

/** How far inside the plateau a suggested eps lies where there is room: chance in the few z puts its ends here or there. */
const MARGIN = 3;

/** What the first step's best rate is divided by. */
const LEEWAY = 10;

/** The eps in question where it lies on the plateau, else the nearest well inside it; without a plateau, the one in question. */
export function suggestedEps(eps: number, plateau: Plateau | undefined): number {
  if (!plateau || (eps >= plateau.from && eps <= plateau.to)) return eps;
  const [from, to] = [MARGIN * plateau.from, plateau.to / MARGIN];
  const inside = from > to ? Math.sqrt(plateau.from * plateau.to) : Math.min(Math.max(eps, from), to);
  return Number(inside.toPrecision(1));
}

/**
 * The batch to take: the one in question where its choice adds less chance to g than there is signal, else the next power of two
 * from which that is so, four times the one in question at most, and no more than there are examples.
 */
export function suggestedBatch(batchSize: number, { evenBatch }: Signal, examples: number): number {
  if (Number.isNaN(evenBatch) || evenBatch <= batchSize) return batchSize;
  return Math.min(2 ** Math.ceil(Math.log2(evenBatch)), 4 * batchSize, examples);
}

/**
 * The learning rate that lowers the loss most in one step, to second order: a step −lr g z changes it by −lr g g' + lr² g² h / 2, with g
 * the batch's slope along z, g' all examples' and h the curvature. In the mean over batches g g' is s² and g² is s² + n², of
 * signal and noise: lr = s² / ((s² + n²) h), and n² / s² is the even batch over the batch. For h stands its mean and two standard
 * errors, as too small a rate costs less than too large a one. Undefined where there is no signal, or h is below 0 even so.
 */
export function bestRate(
  batchSize: number,
  { evenBatch }: Signal,
  { mean, standardError }: Curvature,
): number | undefined {
  const rate = 1 / ((mean + 2 * standardError) * (1 + evenBatch / batchSize));
  return Number.isFinite(rate) && rate > 0 ? rate : undefined;
}

/**
 * The learning rate to begin with: a tenth of the first step's best. Steps stop lowering the loss when s² is down to lr h / 2 of s² + n²,
 * and s² shrinks with the loss: the best first step's rate would stop at once.
 */
export function suggestedRate(best: number | undefined): number | undefined {
  return best === undefined ? undefined : Number((best / LEEWAY).toPrecision(1));
}
