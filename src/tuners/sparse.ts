import { defineTuner } from "./define.ts";
import { followEstimates } from "./mezo.ts";
import type { Tuner } from "./tuner.ts";
import { describeZeroth, type ZerothOptions, zerothOptions } from "./zeroth.ts";

const NAME = "Sparse-MeZO";

/** A bit a weight, as a share of float32. */
const MASKS = 1 / 32;

/**
 * Sparse-MeZO (Liu et al. 2024, arXiv 2402.15751): MeZO that perturbs and moves only the elements of each weight tensor whose magnitude is at
 * most a threshold, which a `share` of them do not exceed; a quarter where it is left out. Unlike the paper, which compares the weights of every
 * step with thresholds found before the first, the mask stays that of the weights before the first, a bit a weight: so one mask serves an
 * estimate, its moves and all moments, whatever the tuner, and large weights never change. Every zeroth-order tuner takes `share`.
 */
export const sparseMezo: (options: ZerothOptions) => Tuner = defineTuner(
  NAME,
  (options) => {
    const settings = zerothOptions(NAME, { share: 0.25, ...options });
    const { share } = settings;
    const resident = { gradients: 0, optimizer: share < 1 ? MASKS : 0 };
    return { options: { ...describeZeroth(settings), share }, begin: followEstimates(settings), resident };
  },
  { byEstimate: true },
);
