import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { openCheckpoint } from "../checkpoints/folder.ts";
import { hashFiles } from "../checkpoints/hash.ts";
import { resolveModel } from "../checkpoints/hub.ts";
import type { DownloadProgress } from "../checkpoints/hub-download.ts";
import { backendNames, useBackend } from "../tensor/backend.ts";
import type { Progress } from "../tensor/progress.ts";
import { loadTokenizer } from "../text/tokenizer.ts";
import type { LanguageModel } from "./model.ts";
import { loadNetwork } from "./network.ts";

/** The model that ships with the kit: a small OPT trained on film reviews (data/models/opt-reviews/README.md). */
export const BUNDLED_MODEL: string = resolve(import.meta.dirname, "../../data/models/opt-reviews");

/**
 * Loads a model from a folder in Hugging Face layout or by its hub id; without either, the bundled one. The backend is the
 * default one unless `useBackend` chose another before. Throws a KitError for whatever does not fit.
 */
export async function loadModel(id: string = BUNDLED_MODEL, onProgress?: Progress): Promise<LanguageModel> {
  const downloaded = ({ file, bytes, totalBytes }: DownloadProgress): void =>
    onProgress?.({ label: "downloading", done: bytes, total: totalBytes, note: file });
  const checkpoint = openCheckpoint(await resolveModel(id, { onProgress: downloaded }));
  const tokenizer = loadTokenizer(checkpoint.folder);
  if (!backendNames.some((name) => name === backendInUse())) await useBackend();
  return {
    id: shortId(id),
    weightsHash: hashFiles(checkpoint.files),
    tokenizer,
    ...loadNetwork(checkpoint, onProgress),
  };
}

/** A folder goes by its last name, so that no path of one machine gets into a run. */
const shortId = (id: string): string => (existsSync(id) ? basename(resolve(id)) : id);

/** The backend that was chosen, or undefined where TensorFlow.js would still pick one by itself. */
const backendInUse = (): string | undefined => tf.engine().backendName;
