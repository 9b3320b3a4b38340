import * as tf from "@tensorflow/tfjs";
import { KitError } from "../error.ts";
import { noteMeant } from "../models/goneWeights.ts";
import type { Correction } from "../nn/network.ts";
import { storage } from "../tensor/backend.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Adapted, LoraPart } from "./adapter.ts";

/**
 * Adds LoRA's corrections to a model's own weights, in place: W becomes W + (alpha / rank) B A, whichever linear maps it adapts. The model then does alone, to
 * rounding, what it did with the adapter, and must no longer be run with it; the model's `restore` undoes the merge.
 * Throws a KitError for another adapter, such as a prefix, which is no change of weights, and for one of another model, before anything is changed.
 */
export function mergeLora(model: readonly Parameter[], { adaptation, lora }: Adapted): void {
  const { correction } = adaptation;
  if (!correction || !lora)
    throw new KitError(
      "Merging was asked for, but the adapter is no LoRA, and only LoRA is a change of weights: save a prefix as it is.",
    );
  const weights = new Map(model.map(({ name, value }) => [name, value]));
  const places = [...lora.parts].map(([projection, part]) => {
    const weight = weights.get(`${projection}.weight`);
    checkFit(projection, weight, part);
    return { projection, weight };
  });
  for (const { projection, weight } of places) add(weight!, correction(projection)!);
  noteMeant(model);
}

function checkFit(projection: string, weight: tf.Tensor | undefined, { a, b }: LoraPart): void {
  const fits = [b.shape[0], a.shape[1]];
  if (weight?.shape.join() === fits.join()) return;
  const found = weight ? `one of [${weight.shape}]` : "none";
  throw new KitError(
    `Merging LoRA into ${projection}.weight: the adapter fits a weight of [${fits}], the model has ${found}; take the model that the adapter was made for.`,
  );
}

/** A correction is linear in x: of the unit vectors it gives the transposed change of the weight. */
function add(weight: tf.Tensor, correction: Correction): void {
  tf.tidy(() => {
    const change = tf.transpose(correction(tf.eye(weight.shape[1]!)));
    storage().copy(tf.add(weight, change), weight);
  });
}
