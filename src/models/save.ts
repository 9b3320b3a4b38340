import { copyFileSync, existsSync, mkdirSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs-core";
import { readObject } from "../checkpoints/json.ts";
import { COMPANIONS, CONFIG } from "../checkpoints/modelFiles.ts";
import { transposeValues } from "../checkpoints/transpose.ts";
import { type StoredAs, safetensorsWriter } from "../checkpoints/write.ts";
import { checkOptions, KitError } from "../error.ts";
import { fillValues, gaussian, type Parameter, readValues } from "../tensor/parameter.ts";
import type { Config } from "./config.ts";
import { findFamily } from "./family.ts";
import type { LanguageModel } from "./network.ts";
import { noteMeant, whyGone } from "./network.ts";

/** How a model is saved. */
export interface SaveModelOptions {
  /** What the numbers are stored as; F32 where nothing is said, which keeps every bit. */
  readonly dtype?: StoredAs;
}

const WEIGHTS = "model.safetensors";

/** What Python's transformers calls the kinds of numbers. */
const TORCH: Readonly<Record<StoredAs, string>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/**
 * Writes the model's present weights into a folder in Hugging Face layout, which this kit and Python's transformers load: one
 * model.safetensors, under the names that the architecture has there, with the config.json and the tokenizer that the model came with.
 * Tensor by tensor, so that the model is never held twice. The configuration, without which a folder is no model, goes before the
 * old weights do and comes back last, so that a folder never holds halves of two models. Throws a KitError where the folder cannot be
 * written or is the one that the model came from, where the model has an adapter, for a value
 * that `dtype` cannot hold, and where the weights are not those that the model's last run has tuned: `tune` and `replay` bring the base
 * weights back. After the model's own `restore` these can be saved.
 */
export async function saveModel(model: LanguageModel, folder: string, options: SaveModelOptions = {}): Promise<void> {
  const { dtype = "F32", ...unknown } = options;
  checkOptions("saveModel", unknown, ["dtype"]);
  checkSavable(model, folder, dtype);
  const own = { torch_dtype: TORCH[dtype], ...(model.untied && { tie_word_embeddings: false }) };
  const { [CONFIG]: found, ...given } = (await model.companions?.()) ?? {
    [CONFIG]: readObject(join(model.folder, CONFIG)),
  };
  const config = { ...found, ...own };
  const copied = COMPANIONS.filter((name) => existsSync(join(model.folder, name)));
  const names = [...copied, ...Object.keys(given), WEIGHTS, CONFIG];
  const next = (name: string): string => join(folder, `${name}.${process.pid}.next`);
  try {
    mkdirSync(folder, { recursive: true });
    for (const name of copied) copyFileSync(join(model.folder, name), next(name));
    for (const [name, json] of Object.entries(given)) writeFileSync(next(name), `${JSON.stringify(json, null, 2)}\n`);
    await writeWeights(listSaved(model, config), next(WEIGHTS), dtype);
    writeFileSync(next(CONFIG), `${JSON.stringify(withDtype(config), null, 2)}\n`);
    rmSync(join(folder, CONFIG), { force: true });
    for (const name of names) renameSync(next(name), join(folder, name));
  } catch (error) {
    for (const path of names.map(next).filter((path) => existsSync(path))) rmSync(path);
    if (error instanceof KitError) throw error;
    throw new KitError(
      `Writing the model ${folder}: ${(error as Error).message}; choose a folder that can be written.`,
    );
  }
}

/** Newer configurations have "dtype" for "torch_dtype": where there is one, both say the same. */
function withDtype(config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return "dtype" in config ? { ...config, dtype: config.torch_dtype } : config;
}

/** A weight as a checkpoint holds it. */
interface Saved {
  readonly name: string;
  readonly value: tf.Tensor;
  /** Whether it lies there as [in, out]. */
  readonly isTurned: boolean;
}

/** The weights as checkpoints of the family hold them: under all their names there. */
function listSaved(model: LanguageModel, config: Config): Saved[] {
  const { aliases, isTransposed } = findFamily(model.id, config);
  const further = aliases?.(config) ?? {};
  return model.parameters.flatMap(({ name, value }) =>
    [name, ...(further[name] === undefined ? [] : [further[name]])].map((one) => {
      return { name: one, value, isTurned: isTransposed?.(name) === true };
    }),
  );
}

async function writeWeights(weights: readonly Saved[], path: string, dtype: StoredAs): Promise<void> {
  const shapes = weights.map(({ name, value: { shape }, isTurned }) => ({
    name,
    shape: isTurned ? shape.toReversed() : shape,
  }));
  const writer = safetensorsWriter(path, shapes, { dtype });
  try {
    for (const { value, isTurned } of weights) {
      const values = await readValues(value);
      writer.add(isTurned ? transposeValues(values, value.shape as [number, number]) : values);
    }
    writer.finish();
  } finally {
    writer.abandon();
  }
}

function checkSavable(model: LanguageModel, folder: string, dtype: StoredAs): void {
  const { id, folder: source, adaptation } = model;
  if (!Object.hasOwn(TORCH, dtype))
    throw new KitError(
      `Saving ${id} as ${dtype}: that is no number format; choose one of ${Object.keys(TORCH).join(", ")}.`,
    );
  if (adaptation)
    throw new KitError(
      `Saving ${id}: it has an adapter, which is not part of its weights; save that with saveAdapter, or add a LoRA to the weights with mergeLora first.`,
    );
  const why = whyGone(model);
  if (why !== undefined)
    throw new KitError(`Saving ${id}: ${why}; after model.restore() the base weights can be saved.`);
  if (existsSync(folder) && realpathSync(folder) === realpathSync(source))
    throw new KitError(
      `Saving ${id} into ${folder}: its base weights lie there, from which runs are replayed; choose another folder.`,
    );
}

/** Sets weights as before all training: matrices 0.02 times a normal, as OPT and RoBERTa began, biases 0, the norms' gains 1. */
export function drawUntrained({ parameters, gains }: Pick<LanguageModel, "parameters" | "gains">, seed: number): void {
  const [matrices, vectors] = [parameters.filter(isMatrix), parameters.filter((one) => !isMatrix(one))];
  gaussian(matrices, 0.02, { seed, step: 0 }, 0);
  for (const { name, value } of vectors) fillValues(value, (values) => values.fill(gains.includes(name) ? 1 : 0));
}

const isMatrix = ({ value }: Parameter): boolean => value.shape.length > 1;

/**
 * Writes a model of the same shape, configuration and tokenizer that has never been trained into a folder, which `loadModel` loads: beside it one
 * sees what pretraining is worth. The model itself is as loaded afterwards. Throws as `saveModel` does.
 */
export async function saveUntrained(model: LanguageModel, folder: string, seed = 0): Promise<void> {
  try {
    drawUntrained(model, seed);
    noteMeant(model.parameters);
    await saveModel(model, folder);
  } finally {
    model.restore();
  }
}
