import type { Parameter } from "../tensor/parameter.ts";
import { gaussian } from "../tensor/perturb.ts";
import { fillValues } from "../tensor/writeValues.ts";
import { noteMeant } from "./goneWeights.ts";
import type { LanguageModel } from "./model.ts";
import { saveModel } from "./save.ts";

/** Sets weights as before all training: matrices 0.02 times a normal, as OPT and RoBERTa began, biases 0, the norms' gains 1. */
export function drawUntrained(parameters: readonly Parameter[], seed: number): void {
  const [matrices, vectors] = [parameters.filter(isMatrix), parameters.filter((one) => !isMatrix(one))];
  gaussian(matrices, 0.02, { seed, step: 0 }, 0);
  for (const { name, value } of vectors)
    fillValues(value, (values) => values.fill(/norm\.weight$/i.test(name) ? 1 : 0));
}

const isMatrix = ({ value }: Parameter): boolean => value.shape.length > 1;

/**
 * Writes a model of the same shape, configuration and tokenizer that has never been trained into a folder, which `loadModel` loads: what
 * pretraining is worth is seen by its side. The model itself is as loaded afterwards. Throws as `saveModel` does.
 */
export async function saveUntrained(model: LanguageModel, folder: string, seed = 0): Promise<void> {
  try {
    drawUntrained(model.parameters, seed);
    noteMeant(model.parameters);
    await saveModel(model, folder);
  } finally {
    model.restore();
  }
}
