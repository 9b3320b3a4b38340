import { existsSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { KitError } from "../error.ts";
import { explainFailure, findCached, type Lookup, listSnapshots } from "./hubCache.ts";
import { type DownloadProgress, downloadModel } from "./hubDownload.ts";
import { type Connection, findHubCache, hubToken, isOffline, readHubAddress, silenceLimit } from "./hubRequest.ts";

/** Options of resolveModel. */
export interface ResolveModelOptions {
  readonly revision?: string;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Looks at a model's config.json before its weights are fetched, and throws where they are not worth it. */
  readonly accept?: (configPath: string) => void;
  /** A name that may have been meant, which errors mention. */
  readonly near?: string | undefined;
  /** Waits before the hub is asked again after a failure; replaced in tests. */
  readonly wait?: Connection["wait"];
}

/**
 * The local folder of a model: an existing folder is itself; a hub id such as "facebook/opt-125m" or "roberta-large" is looked up in the
 * Hugging Face cache, and downloaded to it only where it is not there. Hub, cache, token and time-out follow the environment variables of
 * the Hugging Face libraries. Throws a KitError where none of this works.
 */
export async function resolveModel(idOrFolder: string, options: ResolveModelOptions = {}): Promise<string> {
  if (existsSync(idOrFolder) && statSync(idOrFolder).isDirectory()) return idOrFolder;
  checkHubId(idOrFolder, options.near);
  const cacheFolder = findHubCache();
  return findCached(cacheFolder, idOrFolder, options.revision) ?? (await fetchModel(idOrFolder, cacheFolder, options));
}

async function fetchModel(id: string, cacheFolder: string, options: ResolveModelOptions): Promise<string> {
  const { revision = "main", onProgress = () => {}, accept = () => {}, near, wait = sleepFor } = options;
  const connection = { hubUrl: readHubAddress(), token: hubToken(), silenceSeconds: silenceLimit(), wait };
  const snapshots = listSnapshots(cacheFolder, id).length;
  const lookup: Lookup = { id, revision, near, cacheFolder, snapshots, connection };
  if (isOffline()) throw explainFailure(lookup, "offline");
  try {
    return await downloadModel({ id, revision, connection, cacheFolder, onProgress, accept });
  } catch (error) {
    throw error instanceof KitError ? error : explainFailure(lookup, error);
  }
}

const sleepFor: Connection["wait"] = (seconds) => sleep(1000 * seconds);

/** What the hub accepts: a name, or two with a slash between them. Paths such as ./opt, /opt and a/b/c are none. */
const HUB_ID = /^(\w[\w.-]*\/)?\w[\w.-]*$/;
const NO_HUB_ID = /--|\.\.|[.-](\/|$)|\.git$/;

function checkHubId(text: string, near: string | undefined): void {
  if (existsSync(text))
    throw new KitError(`Looking for the model ${text}: it is a file; give the folder that holds the model's files.`);
  if (HUB_ID.test(text) && !NO_HUB_ID.test(text)) return;
  const found = "there is no such folder, and it is no hub id such as roberta-large or facebook/opt-125m";
  throw new KitError(
    `Looking for the model ${text}: ${found}; ${near ? `did you mean ${near}?` : "give one of them."}`,
  );
}
