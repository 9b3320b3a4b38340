import type { Distribution } from "../tensor/noise/key.ts";
import type { Draw, Perturb } from "../tensor/parameter.ts";
import { type Condition, refuseUnless, wholeFromOne } from "./options.ts";

/** A step that was taken: its z, and the estimate along it. */
export interface PastStep {
  readonly z: Draw;
  readonly projectedGrad: number;
}

/** The last steps, of which an optimizer's moments can be made again. */
export interface Past {
  readonly steps: readonly PastStep[];
  add(step: PastStep): void;
}

/** A past of at most `history` steps. */
export function pastOf(history: number): Past {
  const steps: PastStep[] = [];
  return {
    steps,
    add: (step) => {
      steps.push(step);
      if (steps.length > history) steps.shift();
    },
  };
}

/** How many steps hold all but `share` of the weight of an average that forgets by `beta` a step: the least H with beta^H ≤ share. */
export function historyFor(beta: number, share: number): number {
  return beta === 0 ? 1 : Math.ceil(Math.log(share) / Math.log(beta));
}

/** The law of z, without which it cannot be made again for a part of a weight. Throws a KitError for settings that make no sense. */
export function pastLaw(
  tuner: string,
  noise: Perturb,
  history: number,
  ...conditions: readonly Condition[]
): Distribution {
  refuseUnless(tuner, [
    [noise.law !== undefined, "makes z again for parts of weights, and needs gaussian or rademacher noise for it"],
    wholeFromOne("history", history),
    ...conditions,
  ]);
  return noise.law!;
}
