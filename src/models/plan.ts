import type { Checkpoint, TensorPlace } from "../checkpoints/folder.ts";
import { KitError, listed } from "../error.ts";
import type { Network } from "../nn/network.ts";
import type { Config } from "./config.ts";
import { findFamily, type ModelFamily } from "./family.ts";
import "./index.ts";

/** What a checkpoint holds for a network: its family, every weight's shape and where it lies. Throws as `loadNetwork` does, reading no weight. */
export function planNetwork(checkpoint: Checkpoint): NetworkPlan {
  const family = findFamily(checkpoint.folder, checkpoint.config);
  const shapes = family.shapes(checkpoint.config);
  const places = matchTensors(checkpoint, family, shapes);
  return { family, shapes, places, vocabulary: Number(checkpoint.config.vocab_size), prompts: family.prompts };
}

/**
 * The checkpoint of a tied model as one whose output matrix is a weight of its own, which begins as a copy of the embedding. Throws a
 * KitError for a family that has no such matrix.
 */
export function untie(checkpoint: Checkpoint): Checkpoint {
  const { folder, config, tensors } = checkpoint;
  const { tie, canonicalName } = findFamily(folder, config);
  if (!tie)
    throw new KitError(
      `${folder} was to be loaded with an output matrix of its own, which a model of type "${String(config.model_type)}" cannot have: leave out untied.`,
    );
  const words = [...tensors].find(([name]) => canonicalName(name, config) === tie.embedding);
  return {
    ...checkpoint,
    config: { ...config, tie_word_embeddings: false },
    tensors: new Map([...(words ? [[tie.output, words[1]] as const] : []), ...tensors]),
  };
}

interface NetworkPlan {
  readonly family: ModelFamily;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly places: ReadonlyMap<string, TensorPlace>;
  readonly prompts: Network["prompts"];
  /** How many token ids the embedding has rows for. */
  readonly vocabulary: number;
}

/** Throws a KitError, which names the model, for a config.json that the kit cannot build a network of. */
export function checkConfig(model: string, config: Config): void {
  findFamily(model, config).shapes(config);
}

/** Where each weight of the architecture lies in the checkpoint. */
function matchTensors(
  checkpoint: Checkpoint,
  family: ModelFamily,
  shapes: ReadonlyMap<string, readonly number[]>,
): ReadonlyMap<string, TensorPlace> {
  const found = new Map<string, TensorPlace>();
  for (const [name, place] of checkpoint.tensors) {
    const canonical = family.canonicalName(name, checkpoint.config);
    if (canonical !== undefined && (canonical === name || !found.has(canonical))) found.set(canonical, place);
  }
  const missing = [...shapes.keys()].filter((name) => !found.has(name));
  const unknown = [...found.keys()].filter((name) => !shapes.has(name));
  const misshapen = [...shapes].flatMap(([name, shape]) => {
    const is = found.get(name)?.entry.shape;
    return is && is.join() !== shape.join() ? [`${name} is [${is}] instead of [${shape}]`] : [];
  });
  if (missing.length + unknown.length + misshapen.length > 0)
    throw new KitError(mismatch(checkpoint.folder, { missing, misshapen, unknown }));
  return found;
}

/** "folder: 2 weights missing (a, b); 1 misshapen (c is [768] instead of [3072]); …" */
function mismatch(folder: string, kinds: Readonly<Record<string, readonly string[]>>): string {
  const parts = Object.entries(kinds).flatMap(([kind, names]) =>
    names.length > 0 ? [`${names.length} ${kind} (${listed(names)})`] : [],
  );
  return `${folder}: the weights do not fit its config.json: ${parts.join("; ")}; get a complete checkpoint of the model that the config describes.`;
}
