import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type Checkpoint, hashFiles, openCheckpoint } from "../checkpoints/folder.ts";
import { openGgufCheckpoint } from "../checkpoints/gguf/checkpoint.ts";
import { parseCachedPath } from "../checkpoints/hub/cache.ts";
import { downloadProgress } from "../checkpoints/hub/download.ts";
import { resolveModel } from "../checkpoints/hub/resolve.ts";
import { readObject } from "../checkpoints/json.ts";
import { isWeightFile, WEIGHTS } from "../checkpoints/modelFiles.ts";
import { findClosest, KitError } from "../error.ts";
import type { Network } from "../nn/network.ts";
import { ensureBackend } from "../tensor/backend.ts";
import type { Progress } from "../tensor/progress.ts";
import { makeTokenizer, type Tokenizer } from "../text/tokenizer.ts";
import { givenTokenizerFiles, readTokenizerFiles } from "../text/tokenizerFiles.ts";
import { readBegin } from "./limits.ts";
import { type LanguageModel, loadNetwork } from "./network.ts";
import { checkConfig, halfKind, planNetwork, untie, type WeightOptions } from "./weights.ts";

/** The default model: a small OPT trained on film reviews (data/models/opt-reviews/README.md). */
export const BUNDLED_MODEL: string = "opt-reviews";

/** The models that ship with the kit, by id; a folder of that name comes first. */
const BUNDLED: Readonly<Record<string, string>> = Object.fromEntries(
  ["opt-reviews", "roberta-reviews"].map((id) => [id, resolve(import.meta.dirname, "../../data/models", id)]),
);

/** A model's files, found and checked, no weight read yet. */
export interface OpenModel {
  readonly checkpoint: Checkpoint;
  readonly tokenizer: Tokenizer;
  /** As runs name it: the hub id that was asked for, or the folder's last name. */
  readonly id: string;
  readonly prompts: Network["prompts"];
}

/** Which files of a model are opened, and how. */
export interface OpenOptions {
  /**
   * Of a model on the hub: a branch, a tag or a commit, "main" by default. The name may give it too: "facebook/opt-125m@refs/pr/7".
   */
  readonly revision?: string | undefined;
  /** A token of the user's account, for private and gated models: sent to the hub alone, and by default the environment's HF_TOKEN. */
  readonly token?: string | undefined;
  /**
   * Gives a model whose output matrix is its embedding an output matrix of its own, equal at first, which is tuned by itself: what the
   * authors' code does with RoBERTa.
   */
  readonly untied?: boolean | undefined;
  readonly onProgress?: Progress | undefined;
}

/** Finds and checks a model's files by path or hub id, its output matrix untied where asked to. Throws a KitError for whatever does not fit. */
export async function openModel(id: string = BUNDLED_MODEL, options: OpenOptions = {}): Promise<OpenModel> {
  const found = await findCheckpoint(id, options);
  const checkpoint = options.untied ? untie(found) : found;
  const { vocabulary, prompts } = planNetwork(checkpoint);
  return { checkpoint, tokenizer: await openTokenizer(checkpoint, vocabulary), id: nameModel(found), prompts };
}

/** A model's weight files and config by path or hub id. Throws a KitError where they are not found or not sound. */
export async function findCheckpoint(
  id: string,
  { revision, token, onProgress }: Omit<OpenOptions, "untied">,
): Promise<Checkpoint> {
  const { place, near } = findPlace(id);
  const folder = await resolveModel(place, {
    ...{ revision, token, onProgress: downloadProgress(onProgress), near },
    accept: (config) => checkConfig(id, readObject(config)),
  });
  return folder.endsWith(".gguf") ? openGgufCheckpoint(folder) : openCheckpoint(folder);
}

/** Where a model is looked for: a bundled one in its folder, any other by its name; and a similar name, where nothing has this one. */
export function findPlace(id: string): { readonly place: string; readonly near: string | undefined } {
  const place = isBundled(id) ? BUNDLED[id]! : id;
  return { place, near: existsSync(place) ? undefined : findNearest(id) };
}

/**
 * The tokenizer of a checkpoint whose embedding has `vocabulary` rows, from the files of its folder or from the one that stands for them. Throws
 * a KitError where it has more ids.
 */
export async function openTokenizer({ folder, companions }: Checkpoint, vocabulary: number): Promise<Tokenizer> {
  const files = companions ? givenTokenizerFiles(folder, await companions()) : readTokenizerFiles(folder);
  const tokenizer = makeTokenizer(files, vocabulary);
  if (tokenizer.size > vocabulary)
    throw new KitError(
      `${folder}: the tokenizer has ids up to ${tokenizer.size - 1}, but the model knows ${vocabulary} tokens; get the tokenizer that belongs to the model.`,
    );
  return tokenizer;
}

/** A bundled model, or a folder beside the one that was named, whose name is close. */
function findNearest(id: string): string | undefined {
  const parent = dirname(id);
  const folders = listFolders(parent);
  const name = findClosest(basename(id), [...Object.keys(BUNDLED), ...folders]);
  return name !== undefined && folders.includes(name) ? join(parent, name) : name;
}

function listFolders(parent: string): string[] {
  try {
    const entries = readdirSync(parent, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return []; // it is missing or cannot be read: then none of its folders was meant
  }
}

/** Settings of loading a model. */
export interface LoadOptions extends WeightOptions, OpenOptions {}

/**
 * Loads a model from a folder in Hugging Face layout, from a file of weights in one or a GGUF file, which needs none, or by its hub id;
 * without any, the bundled one. The weights are kept in float32 where `weights` says nothing, those of a quantized file too. The backend is
 * the default one unless `useBackend` chose another before. Throws a KitError for whatever does not fit.
 */
export async function loadModel(id: string = BUNDLED_MODEL, options: LoadOptions = {}): Promise<LanguageModel> {
  const { revision: asked, token, onProgress, untied = false, ...weights } = options;
  const { checkpoint, tokenizer, id: name } = await openModel(id, { revision: asked, token, untied, onProgress });
  await ensureBackend();
  const network = loadNetwork(checkpoint, weights, onProgress);
  const kept = halfKind(weights);
  const { folder, files, companions } = checkpoint;
  const revision = parseCachedPath(folder)?.commit;
  return {
    ...{ id: name, folder, weightsHash: hashFiles(files), tokenizer },
    ...(revision && { revision }),
    ...(companions && { companions }),
    ...(kept && { kept }),
    ...(untied && { untied }),
    ...network,
    begin: readBegin(network, tokenizer),
  };
}

/** By what `loadModel` finds a model again on this machine: its hub id with its commit, the id of a bundled one, its folder, or its file by name. */
export function placeOf({ id, folder, revision }: Pick<LanguageModel, "id" | "folder" | "revision">): string {
  if (revision !== undefined) return `${id}@${revision}`;
  if (isBundled(id) && BUNDLED[id] === resolve(folder)) return id;
  const file = resolve(folder, id);
  return isWeightFile(id) && existsSync(file) ? file : resolve(folder);
}

/** Whether a model is one that ships with the kit, by its id. */
export const isBundled = (id: string): boolean => Object.hasOwn(BUNDLED, id) && !existsSync(id);

/**
 * The name of a model in runs. One that lies in the hub's cache goes by its name there, and that of its file where it is one; any other by
 * the last name of its folder, or of its file where not every model's is called that, so that nothing of one machine gets into a run.
 */
export function nameModel({ folder, files }: Checkpoint): string {
  const { id, inside } = parseCachedPath(resolve(folder)) ?? {};
  if (id !== undefined) return inside === undefined ? id : `${id}/${inside}`;
  const [file] = files;
  return basename(file !== undefined && !isUsual(basename(file)) ? file : resolve(folder));
}

const isUsual = (name: string): boolean => WEIGHTS.some(({ main, shards }) => main === name || shards?.test(name));
