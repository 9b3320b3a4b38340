import { existsSync, statSync } from "node:fs";
import { KitError } from "../error.ts";
import { findCached, hubCacheFolder } from "./hubCache.ts";
import { type DownloadProgress, downloadModel } from "./hubDownload.ts";

/** Options of resolveModel; the hub is $HF_ENDPOINT or huggingface.co, the cache that of the Hugging Face libraries. */
export interface ResolveModelOptions {
  readonly revision?: string;
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly hubUrl?: string;
  readonly cacheFolder?: string;
}

/**
 * The local folder of a model: an existing folder is itself; a hub id such as "facebook/opt-125m" is looked up in
 * the Hugging Face cache and downloaded to it only where it is not there. Throws a KitError where none of this works.
 */
export async function resolveModel(idOrFolder: string, options: ResolveModelOptions = {}): Promise<string> {
  if (existsSync(idOrFolder) && statSync(idOrFolder).isDirectory()) return idOrFolder;
  if (!isHubId(idOrFolder)) {
    throw new KitError(
      `Looking for the model ${idOrFolder}: it is neither an existing folder nor a hub id such as org/name; give one of them.`,
    );
  }
  const { revision, cacheFolder = hubCacheFolder() } = options;
  return findCached(cacheFolder, idOrFolder, revision) ?? (await fetchModel(idOrFolder, cacheFolder, options));
}

async function fetchModel(id: string, cacheFolder: string, options: ResolveModelOptions): Promise<string> {
  const { revision = "main", onProgress = () => {} } = options;
  const hubUrl = options.hubUrl ?? process.env.HF_ENDPOINT ?? "https://huggingface.co";
  try {
    return await downloadModel({ id, revision, hubUrl, cacheFolder, onProgress });
  } catch (error) {
    if (error instanceof KitError) throw error;
    throw new KitError(
      `Looking for the model ${id}: there is no such folder, the cache ${cacheFolder} does not hold it whole, and the download failed ` +
        `(${reason(error)}); give a folder in Hugging Face layout or name no model to use the bundled one.`,
    );
  }
}

function isHubId(text: string): boolean {
  return /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(text);
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const status = "statusCode" in error ? error.statusCode : undefined;
  if (status === 401 || status === 404) return `the hub answered ${status}: no such public model or revision`;
  if (status !== undefined) return `the hub answered ${status}`;
  return error.cause instanceof Error && error.cause.message ? error.cause.message : error.message;
}
