import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type * as tf from "@tensorflow/tfjs-core";
import { openGgufCheckpoint } from "../checkpoints/gguf/checkpoint.ts";
import { downloadProgress } from "../checkpoints/hub/download.ts";
import { resolveConfig } from "../checkpoints/hub/resolve.ts";
import { readObject } from "../checkpoints/json.ts";
import type { Network } from "../nn/network.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Config } from "./config.ts";
import { findFamily, type Limits } from "./family.ts";
import { findPlace, type OpenOptions } from "./load.ts";
import { checkConfig, halfKind, type WeightOptions } from "./weights.ts";

/** A model without its weights: how it is built, and tensors that have shapes and no values. It cannot be run. */
export interface ModelOutline extends Network, Limits {
  /** The name that was asked for. */
  readonly id: string;
  readonly parameters: readonly Parameter[];
  readonly transposed: readonly string[];
}

/**
 * The outline of a model, from its config.json or its GGUF file's header alone: of a folder, a weight file, a bundled model or a hub id. Those that
 * the paper uses are known without the hub; of others config.json is fetched where it is not in the cache. Throws a KitError where there is
 * no such model, or the kit could not build it.
 */
export async function outlineModel(
  id: string,
  options: Omit<OpenOptions, "untied"> & WeightOptions = {},
): Promise<ModelOutline> {
  const config = await findConfig(id, options);
  checkConfig(id, config);
  const family = findFamily(id, config);
  const shapes = family.shapes(config);
  const half = halfKind(options);
  const parameters = [...shapes].map(
    ([name, shape]): Parameter => ({ ...outlineWeight(name, shape), ...(half && shape.length > 1 && { bytes: 2 }) }),
  );
  const byName = new Map(parameters.map(({ name, value }) => [name, value]));
  return {
    ...{ id, parameters, transposed: [...shapes.keys()].filter((name) => family.isTransposed?.(name)) },
    ...family.limits(config),
    ...family.build(config, (name) => byName.get(name)!),
  };
}

/** A weight for whoever asks its shape alone: its tensor has no values. */
export function outlineWeight(name: string, shape: readonly number[]): Parameter {
  const value = { shape: [...shape], rank: shape.length, size: shape.reduce((a, b) => a * b, 1) };
  return { name, value: value as tf.Tensor };
}

async function findConfig(id: string, { revision, token, onProgress }: Omit<OpenOptions, "untied">): Promise<Config> {
  const known = existsSync(id) ? undefined : paperConfig(id);
  if (known) return known;
  const { place, near } = findPlace(id);
  const path = await resolveConfig(place, { revision, token, onProgress: downloadProgress(onProgress), near });
  if (path.endsWith(".gguf")) return (await openGgufCheckpoint(path)).config;
  return readObject(join(statSync(path).isDirectory() ? path : dirname(path), "config.json"));
}

/** The form of data/paper/models.json: by family what its configs have in common, and each model's own. */
type PaperModels = Readonly<
  Record<string, { readonly shared: Config; readonly models: Readonly<Record<string, Config>> }>
>;

const PAPER_MODELS = new URL("../../data/paper/models.json", import.meta.url);

/** The config of one of the paper's models, by its hub id or what stands behind the slash there. */
function paperConfig(id: string): Config | undefined {
  const { source: _, ...families } = JSON.parse(readFileSync(PAPER_MODELS, "utf8")) as { source: string } & PaperModels;
  for (const { shared, models } of Object.values(families as PaperModels))
    for (const [name, own] of Object.entries(models))
      if (name === id || name.endsWith(`/${id}`)) return { ...shared, ...own };
  return undefined;
}
