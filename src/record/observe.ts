import { createHash } from "node:crypto";
import { storage } from "../tensor/backend.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Objective } from "../tuners/tuner.ts";

/** An objective, and every number that it has given so far, in order. */
export interface RecordedLosses {
  readonly objective: Objective;
  readonly losses: readonly number[];
}

/**
 * Notes every loss that an objective gives, every derivative in forward mode after its loss, and the norms of gradients; pairs that are asked
 * for at the same time in the order in which they were asked for.
 */
export function recordLosses({ value, pair, side, gradient, gradientNorms, derivative }: Objective): RecordedLosses {
  const losses: number[] = [];
  const note = (...numbers: readonly number[]): void => void losses.push(...numbers);
  const noteOne = async (loss: () => number | Promise<number>): Promise<number> => {
    const at = losses.push(Number.NaN) - 1;
    const found = await loss();
    losses[at] = found;
    return found;
  };
  const objective: Objective = {
    value: () => noteOne(value),
    ...(pair && {
      pair: async (theta, shift) => {
        const at = losses.push(Number.NaN, Number.NaN) - 2;
        const both = await pair(theta, shift);
        losses.splice(at, 2, both.lossPlus, both.lossMinus);
        return both;
      },
    }),
    ...(side && { side: (theta, shift) => noteOne(() => side(theta, shift)) }),
    ...(gradient && {
      gradient: async (theta) => {
        const found = await gradient(theta);
        note(found.loss);
        return found;
      },
    }),
    ...(gradientNorms && {
      gradientNorms: async (groups) => {
        const norms = await gradientNorms(groups);
        note(...norms);
        return norms;
      },
    }),
    ...(derivative && {
      derivative: async (...given) => {
        const found = await derivative(...given);
        note(found.loss, found.derivative);
        return found;
      },
    }),
  };
  return { objective, losses };
}

/**
 * The first 16 hexadecimal digits of the SHA-256 over the weights' values in float32, in order: what tells whether recomputed weights
 * are those of the run.
 */
export async function hashTheta(theta: readonly Parameter[]): Promise<string> {
  const hash = createHash("sha256");
  for (const { value } of theta)
    for await (const { buffer, byteOffset, byteLength } of storage().read(value))
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest("hex").slice(0, 16);
}
