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

/** The eps to take: the one in question where it lies on the plateau, else the middle of the plateau; without one, the one in question. */
export function suggestedEps(eps: number, plateau: Plateau | undefined): number {
  if (!plateau || (eps >= plateau.from && eps <= plateau.to)) return eps;
  return Number(Math.sqrt(plateau.from * plateau.to).toPrecision(1));
}

/**
 * The batch to take: the one in question where chance in its choice outweighs nothing, else the next power of two from which the signal
 * does, four times the one in question at most, and no more than there are examples.
 */
export function suggestedBatch(batchSize: number, { evenBatch }: Signal, examples: number): number {
  if (Number.isNaN(evenBatch) || evenBatch <= batchSize) return batchSize;
  return Math.min(2 ** Math.ceil(Math.log2(evenBatch)), 4 * batchSize, examples);
}

/**
 * The learning rate that lowers the loss most in one step, to second order: a step −lr g z changes it by −lr g g' + lr² g² h / 2, with g
 * the batch's slope along z, g' all examples' and h the curvature. In the mean over batches g g' is s² and g² is s² + n², of
 * signal and noise: lr = s² / ((s² + n²) h), and n² / s² is the even batch over the batch.
 */
export function suggestedRate(batchSize: number, { evenBatch }: Signal, curvature: Curvature): number | undefined {
  const rate = 1 / (curvature.mean * (1 + evenBatch / batchSize));
  const isClear = curvature.mean > 2 * curvature.standardError;
  return isClear && Number.isFinite(rate) && rate > 0 ? Number(rate.toPrecision(1)) : undefined;
}
