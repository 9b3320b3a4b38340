import type { Parameter } from "../tensor/parameter.ts";

/** What has weights that runs tune. */
interface Tunable {
  readonly parameters: readonly Parameter[];
  restore(): void;
}

/**
 * By a model's weights, why they are not what its last run has tuned. Who saves such a model will expect the tuned weights, so that it is
 * refused until the model's own `restore`, or a change of its weights, says that those in it are meant.
 */
const gone = new WeakMap<readonly Parameter[], string>();

/** Notes that the weights that a run has tuned are no longer in a model. */
export function noteGone({ parameters }: Pick<Tunable, "parameters">, method: string): void {
  gone.set(
    parameters,
    `the weights that ${method} tuned are not in it: replay the run and save that model, or tune with keepWeights: true`,
  );
}

/** Notes that an adapter was trained beside a model's weights and is gone. */
export function noteAdapterGone({ parameters }: Pick<Tunable, "parameters">, method: string): void {
  gone.set(
    parameters,
    `the adapter that ${method} tuned is no part of it: save that with saveAdapter where tune gives it to onAdapted, or of the replayed run`,
  );
}

/** Brings a model's base weights back after a run. */
export function bringBaseBack(model: Tunable, method: string): void {
  model.restore();
  noteGone(model, method);
}

/** Brings a model's base weights back that were changed in passing. */
export function restoreQuietly(model: Tunable): void {
  const why = whyGone(model);
  model.restore();
  if (why !== undefined) gone.set(model.parameters, why);
}

/** Notes that a model's weights are those that are meant. */
export function noteMeant(parameters: readonly Parameter[]): void {
  gone.delete(parameters);
}

/** Why a model's weights are not what its last run has tuned, and what to do; undefined where they are meant. */
export function whyGone({ parameters }: Pick<Tunable, "parameters">): string | undefined {
  return gone.get(parameters);
}
