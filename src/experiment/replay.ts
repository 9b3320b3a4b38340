import { type Adapted, adaptedModel } from "../adapters/adapter.ts";
import { checkOptions } from "../error.ts";
import { bringBaseBack } from "../models/goneWeights.ts";
import type { LanguageModel } from "../models/network.ts";
import type { UnfinishedRun } from "../record/run.ts";
import { cut, firstOf, stepsTaken } from "../record/steps.ts";
import type { Progress } from "../tensor/progress.ts";
import { beginAdapter, checkBase, checkTheta, retrace } from "./retrace.ts";

/** Settings of making a run's weights again. */
export interface ReplayOptions {
  /** After how many steps; after all where it is left out. `bestStep` gives that of the best dev score or loss. */
  readonly step?: number;
  readonly onProgress?: Progress;
}

/** A run's weights, made again. */
export interface Replayed {
  /** The tuned model: the one that was given, whose weights were changed in place, or that with an adapter beside its weights. */
  readonly model: LanguageModel;
  readonly adapted?: Adapted;
  readonly step: number;
  /** Whether the run says what the weights were there, and they are that, to the bit. */
  readonly checked: boolean;
  /** Frees the adapter and brings the base weights back. */
  dispose(): void;
}

/**
 * Makes the tuned weights of a run again from the base model and the run's file alone, no data and no forward pass needed: the weights
 * that training had, to the bit, whatever backend it ran on. A prefix that began from activations on another backend is as near as
 * the two compute them, and a model kept in other numbers than the run's has their rounding in every step: `checked` is false then. Throws a KitError for another base model, a run that was edited, and one whose steps a file does not tell, as FT's.
 */
export async function replay(model: LanguageModel, run: UnfinishedRun, options: ReplayOptions = {}): Promise<Replayed> {
  const { step = stepsTaken(run), onProgress, ...unknown } = options;
  checkOptions("replay", unknown, ["step", "onProgress"]);
  checkBase(model, run);
  const wanted = cut(run, step);
  const { header } = firstOf(run);
  model.restore();
  const adapted = beginAdapter(model, header);
  const dispose = (): void => {
    adapted?.dispose();
    if (!adapted) bringBaseBack(model, header.method);
  };
  const theta = adapted?.parameters ?? model.parameters;
  try {
    (await retrace(theta, wanted, onProgress)).dispose();
    const checked = checkTheta(theta, wanted, model);
    const tuned = adapted ? adaptedModel(model, adapted) : model;
    return { model: tuned, ...(adapted && { adapted }), step, checked, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}
