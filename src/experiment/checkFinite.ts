import { KitError, listNames, NotFinite } from "../error.ts";
import type { LanguageModel } from "../models/network.ts";
import { storage } from "../tensor/backend.ts";

/**
 * Throws a KitError unless all numbers that a model gave with its present weights are finite: it names the weights that are not, which
 * are searched only then.
 */
export async function checkFinite(model: LanguageModel, numbers: ArrayLike<number>): Promise<void> {
  if (Array.prototype.every.call(numbers, Number.isFinite)) return;
  throw (
    (await brokenWeights(model)) ??
    new NotFinite(
      `${model.id} gives numbers that are not finite, though all its weights are: they grow beyond what float32 holds; choose another model.`,
    )
  );
}

/** Why training stopped: the error itself, or, where a number was not finite, one that names base weights that are not finite already. It restores the base weights for that. */
export async function whyStopped(error: unknown, model: LanguageModel): Promise<unknown> {
  if (!(error instanceof NotFinite)) return error;
  model.restore();
  return (await brokenWeights(model)) ?? error;
}

/** An error that names the weights which hold numbers that are not finite; undefined where none does. */
async function brokenWeights(model: LanguageModel): Promise<KitError | undefined> {
  const broken: string[] = [];
  for (const { name, value } of model.parameters) {
    let [nan, infinite] = [0, 0];
    for await (const values of storage().read(value)) {
      const found = counts(values);
      nan += found[0];
      infinite += found[1];
    }
    const kinds = [nan > 0 && `${nan} NaN`, infinite > 0 && `${infinite} infinite`].filter(Boolean).join(" and ");
    if (kinds !== "") broken.push(`${name} (${kinds} of ${value.size} numbers)`);
  }
  if (broken.length === 0) return undefined;
  return new KitError(
    `${model.id} cannot be used: its weights hold numbers that are not finite, NaN or infinite, in ${listNames(broken)}; get a sound checkpoint.`,
  );
}

/** How many values are NaN, and how many infinite. */
function counts(values: Float32Array): [nan: number, infinite: number] {
  let [nan, infinite] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value - value === 0) continue;
    if (Number.isNaN(value)) nan++;
    else infinite++;
  }
  return [nan, infinite];
}
