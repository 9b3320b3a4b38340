import type { Adapter } from "../adapters/adapter.ts";
import type { Run } from "../record/run.ts";
import { copyValues, fillValues, type Parameter } from "../tensor/parameter.ts";

/** The trained weights as they were after a step, in float32. */
export interface KeptWeights {
  readonly step: number;
  readonly values: readonly Float32Array[];
}

/** A copy of the weights as they are now, in the place of an earlier one where that is given. */
export async function copyWeights(
  theta: readonly Parameter[],
  step: number,
  earlier?: KeptWeights,
): Promise<KeptWeights> {
  const values: Float32Array[] = [];
  for (const [i, { value }] of theta.entries())
    values.push(await copyValues(value, earlier?.values[i] ?? new Float32Array(value.size)));
  return { step, values };
}

/** Writes kept weights into weights of the same shapes, in place. */
export function putBack(theta: readonly Parameter[], { values }: KeptWeights): void {
  for (const [i, { value }] of theta.entries()) fillValues(value, (into) => into.set(values[i]!));
}

/** The best weights of a run of this process, and the adapter that they belong to. */
export interface BestWeights {
  readonly kept: KeptWeights;
  readonly adapter?: Adapter;
}

/** They go when their run does, which is plain data and cannot hold them itself. */
const best = new WeakMap<Run, BestWeights>();

/** Notes the best weights of a run. */
export function noteBest(run: Run, kept: KeptWeights, adapter?: Adapter): void {
  best.set(run, { kept, ...(adapter && { adapter }) });
}

/** The best weights of a run that `tune` was to keep; undefined for any other run. */
export function findBest(run: Run): BestWeights | undefined {
  return best.get(run);
}
