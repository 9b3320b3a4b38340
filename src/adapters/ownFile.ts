import { readTensor } from "../checkpoints/safetensors.ts";
import { openSafetensors } from "../checkpoints/safetensorsHeader.ts";
import { type NamedTensor, writeSafetensors } from "../checkpoints/write.ts";
import { KitError } from "../error.ts";
import { fillValues } from "../tensor/parameter.ts";
import type { Adapted } from "./adapter.ts";

/** Writes an adapter's weights as they are, in float32 under their own names, for kinds that PEFT does not have. */
export async function saveWeights(path: string, { parameters }: Adapted): Promise<void> {
  const tensors: NamedTensor[] = [];
  for (const { name, value } of parameters)
    tensors.push({ name, shape: value.shape, data: (await value.data()) as Float32Array });
  writeSafetensors(path, tensors, { dtype: "F32" });
}

/** Fills an adapter that has begun with weights that `saveWeights` wrote. Throws a KitError where they are not its own. */
export function fillWeights(path: string, { parameters }: Adapted): void {
  const file = openSafetensors(path);
  const sameNames = file.tensors.size === parameters.length;
  const fits = parameters.every(({ name, value }) => String(file.tensors.get(name)?.shape) === String(value.shape));
  if (!sameNames || !fits)
    throw new KitError(
      `Reading the adapter ${path}: its tensors are not those of its kind for this model; give the model that it was tuned beside.`,
    );
  for (const { name, value } of parameters) fillValues(value, (into) => void readTensor(file, name, into));
}
