import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { type Checkpoint, openCheckpoint } from "../checkpoints/folder.ts";
import { hashFiles } from "../checkpoints/hash.ts";
import { resolveModel } from "../checkpoints/hub.ts";
import { KitError } from "../error.ts";
import { ensureBackend } from "../tensor/backend.ts";
import type { Progress } from "../tensor/progress.ts";
import { loadTokenizer, type Tokenizer } from "../text/tokenizer.ts";
import { downloadProgress } from "./download.ts";
import type { LanguageModel } from "./model.ts";
import { loadNetwork, planNetwork } from "./network.ts";

/** The model that ships with the kit: a small OPT trained on film reviews (data/models/opt-reviews/README.md). */
export const BUNDLED_MODEL: string = resolve(import.meta.dirname, "../../data/models/opt-reviews");

/** A model's files, found and checked, no weight read yet. */
export interface OpenModel {
  readonly checkpoint: Checkpoint;
  readonly tokenizer: Tokenizer;
}

/** Finds and checks a model's files by folder or hub id. Throws a KitError for whatever does not fit. */
export async function openModel(id: string = BUNDLED_MODEL, onProgress?: Progress): Promise<OpenModel> {
  const checkpoint = openCheckpoint(await resolveModel(id, { onProgress: downloadProgress(onProgress) }));
  const { vocabulary } = planNetwork(checkpoint);
  const tokenizer = loadTokenizer(checkpoint.folder);
  if (tokenizer.size > vocabulary)
    throw new KitError(
      `${checkpoint.folder}: the tokenizer has ids up to ${tokenizer.size - 1}, but the model knows ${vocabulary} tokens; get the tokenizer that belongs to the model.`,
    );
  return { checkpoint, tokenizer };
}

/**
 * Loads a model from a folder in Hugging Face layout or by its hub id; without either, the bundled one. The backend is the
 * default one unless `useBackend` chose another before. Throws a KitError for whatever does not fit.
 */
export async function loadModel(id: string = BUNDLED_MODEL, onProgress?: Progress): Promise<LanguageModel> {
  const { checkpoint, tokenizer } = await openModel(id, onProgress);
  await ensureBackend();
  const network = loadNetwork(checkpoint, onProgress);
  return { id: shortId(id), weightsHash: hashFiles(checkpoint.files), tokenizer, ...network };
}

/** A folder goes by its last name, so that no path of one machine gets into a run. */
const shortId = (id: string): string => (existsSync(id) ? basename(resolve(id)) : id);
