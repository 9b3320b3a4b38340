import { KitError } from "../error.ts";
import type { Objective } from "../tuners/tuner.ts";
import type { RunHeader, StepRecord } from "./run.ts";

/** An objective, and every number that it has given so far, in order. */
export interface RecordedLosses {
  readonly objective: Objective;
  readonly losses: readonly number[];
}

/** Notes every loss that an objective gives, and every derivative in forward mode after its loss. */
export function recordLosses({ value, pair, gradient, derivative }: Objective): RecordedLosses {
  const losses: number[] = [];
  const note = (...numbers: readonly number[]): void => void losses.push(...numbers);
  const objective: Objective = {
    value: async () => {
      const loss = await value();
      note(loss);
      return loss;
    },
    ...(pair && {
      pair: async (theta, shift) => {
        const both = await pair(theta, shift);
        note(both.lossPlus, both.lossMinus);
        return both;
      },
    }),
    ...(gradient && {
      gradient: async (theta) => {
        const found = await gradient(theta);
        note(found.loss);
        return found;
      },
    }),
    ...(derivative && {
      derivative: (...given) => {
        const found = derivative(...given);
        note(found.loss, found.derivative);
        return found;
      },
    }),
  };
  return { objective, losses };
}

/** A step's losses given again, and whether all of them were asked for. */
export interface ReplayedLosses {
  readonly objective: Objective;
  readonly isOver: () => boolean;
}

/**
 * An objective that gives what a step's line holds, in order, in the way that the run's was asked: so that the same tuner makes the
 * same step of it, to the bit. It has no gradient. Throws a KitError where more is asked for than the line holds.
 */
export function replayLosses({ step, losses }: StepRecord, passes: RunHeader["passes"]): ReplayedLosses {
  let at = 0;
  const next = (): number => {
    const loss = losses[at++];
    if (loss !== undefined) return loss;
    throw new KitError(
      `Step ${step} was to be made again, but its line holds ${losses.length} losses and the tuner asks for more: the run was edited; take the file as it was written.`,
    );
  };
  const objective: Objective = {
    value: next,
    ...(passes === "pair" && { pair: () => ({ lossPlus: next(), lossMinus: next() }) }),
    derivative: () => ({ loss: next(), derivative: next() }),
  };
  return { objective, isOver: () => at === losses.length };
}
