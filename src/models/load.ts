import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type Checkpoint, hashFiles, openCheckpoint } from "../checkpoints/folder.ts";
import { findCommit, resolveModel } from "../checkpoints/hub.ts";
import type { DownloadProgress } from "../checkpoints/hubDownload.ts";
import { readObject } from "../checkpoints/json.ts";
import { findClosest, KitError } from "../error.ts";
import type { Network } from "../nn/network.ts";
import { ensureBackend } from "../tensor/backend.ts";
import type { Progress } from "../tensor/progress.ts";
import { loadTokenizer, type Tokenizer } from "../text/tokenizer.ts";
import { readBegin } from "./limits.ts";
import { type LanguageModel, loadNetwork } from "./network.ts";
import { checkConfig, halfKind, planNetwork, untie, type WeightOptions } from "./weights.ts";

/** Returns a listener of downloads that reports them, in bytes, as the progress "downloading". */
export function downloadProgress(onProgress: Progress = () => {}): (download: DownloadProgress) => void {
  return ({ file, bytes, totalBytes, waitSeconds, checking }) =>
    onProgress({
      label: checking ? "checking the download" : "downloading",
      done: bytes,
      total: totalBytes,
      file,
      ...(waitSeconds !== undefined && { waitSeconds }),
    });
}

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

/** Finds and checks a model's files by folder or hub id, its output matrix untied where asked to. Throws a KitError for whatever does not fit. */
export async function openModel(id: string = BUNDLED_MODEL, onProgress?: Progress, untied = false): Promise<OpenModel> {
  const found = await findCheckpoint(id, onProgress);
  const checkpoint = untied ? untie(found) : found;
  const { vocabulary, prompts } = planNetwork(checkpoint);
  return { checkpoint, tokenizer: openTokenizer(checkpoint, vocabulary), id: shortId(id), prompts };
}

/** A model's weight files and config by folder or hub id. Throws a KitError where they are not found or not sound. */
export async function findCheckpoint(id: string, onProgress?: Progress): Promise<Checkpoint> {
  const place = existsSync(id) || !Object.hasOwn(BUNDLED, id) ? id : BUNDLED[id]!;
  const folder = await resolveModel(place, {
    onProgress: downloadProgress(onProgress),
    accept: (config) => checkConfig(id, readObject(config)),
    ...(!existsSync(place) && { near: findNearest(id) }),
  });
  return openCheckpoint(folder);
}

/** The tokenizer of a checkpoint whose embedding has so many rows. Throws a KitError where it has more ids. */
export function openTokenizer({ folder }: Checkpoint, vocabulary: number): Tokenizer {
  const tokenizer = loadTokenizer(folder, vocabulary);
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
export interface LoadOptions extends WeightOptions {
  /**
   * Gives a model whose output matrix is its embedding an output matrix of its own, equal at first, which is tuned by itself: what the
   * authors' code does with RoBERTa.
   */
  readonly untied?: boolean;
  readonly onProgress?: Progress;
}

/**
 * Loads a model from a folder in Hugging Face layout or by its hub id; without either, the bundled one. The backend is the
 * default one unless `useBackend` chose another before. Throws a KitError for whatever does not fit.
 */
export async function loadModel(id: string = BUNDLED_MODEL, options: LoadOptions = {}): Promise<LanguageModel> {
  const { onProgress, untied = false, ...weights } = options;
  const { checkpoint, tokenizer } = await openModel(id, onProgress, untied);
  await ensureBackend();
  const network = loadNetwork(checkpoint, weights, onProgress);
  const kept = halfKind(weights);
  const { folder, files } = checkpoint;
  const revision = findCommit(folder);
  return {
    ...{ id: shortId(id), folder, weightsHash: hashFiles(files), tokenizer },
    ...(revision && { revision }),
    ...(kept && { kept }),
    ...(untied && { untied }),
    ...network,
    begin: readBegin(network, tokenizer),
  };
}

/** By what `loadModel` finds a model again on this machine: its hub id, that of a bundled one, or its folder. */
export function placeOf({ id, folder, revision }: Pick<LanguageModel, "id" | "folder" | "revision">): string {
  const isBundled = Object.hasOwn(BUNDLED, id) && BUNDLED[id] === resolve(folder);
  return revision !== undefined || isBundled ? id : resolve(folder);
}

/** A folder goes by its last name, so that no path of one machine gets into a run. */
export const shortId = (id: string): string => (existsSync(id) ? basename(resolve(id)) : id);
