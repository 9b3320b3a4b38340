import { setTimeout as sleep } from "node:timers/promises";
import { KitError } from "../../error.ts";
import { findRepoFolder, findSnapshots, listSnapshots, type RepoType } from "./cache.ts";
import { type DownloadProgress, downloadSnapshot } from "./download.ts";
import { explainFailure, type Lookup } from "./failure.ts";
import type { Listing, Wanted } from "./listing.ts";
import { type Connection, findHubCache, findToken, isOffline, readHubAddress, silenceLimit } from "./request.ts";

/** How the hub is asked. */
export interface HubOptions {
  /** A branch, a tag or a commit; the repository's main one by default. */
  readonly revision?: string | undefined;
  /** A secret of the user's account, sent to the hub alone; by default that of the environment (HF_TOKEN, or the file of `hf auth login`). */
  readonly token?: string | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Waits between two tries; replaced in tests. */
  readonly wait?: Connection["wait"];
}

/** A repository that is looked for, and what makes it complete. */
export interface Search {
  readonly type: RepoType;
  readonly id: string;
  /** The revision that was asked for. */
  readonly revision: string | undefined;
  /** The revisions that it is taken from where none was asked for: the first that the cache holds. */
  readonly usual: readonly string[];
  /** What is wanted of a snapshot's folder: a path, or undefined where that is not complete. */
  readonly find: (folder: string) => string | undefined;
  /** The revision and those of its files that are to be downloaded. */
  readonly choose: (list: Listing) => Promise<Wanted>;
  /** Checks a model's config.json before its weights are downloaded, and throws for a model that cannot be used. */
  readonly accept?: ((configPath: string) => void) | undefined;
  /** A similar name, which errors suggest. */
  readonly near?: string | undefined;
}

/**
 * The path of what a search finds in the Hugging Face cache, downloaded where it is missing. Hub, cache, token and time-out follow the
 * environment variables of the Hugging Face libraries. Throws a KitError where this does not work.
 */
export async function findOnHub(search: Search, options: HubOptions): Promise<string> {
  const { type, id, revision, usual, find } = search;
  const cacheFolder = findHubCache();
  const repoFolder = await findRepoFolder(cacheFolder, type, id);
  const revisions = revision === undefined ? usual : [revision];
  for (const snapshot of findSnapshots(repoFolder, revisions, revision === undefined)) {
    const found = find(snapshot);
    if (found !== undefined) return found;
  }
  return download(search, { cacheFolder, repoFolder }, options);
}

interface Cache {
  readonly cacheFolder: string;
  readonly repoFolder: string;
}

async function download(search: Search, { cacheFolder, repoFolder }: Cache, options: HubOptions): Promise<string> {
  const { type, id, revision = "main", near, choose, accept = () => {} } = search;
  const { onProgress = () => {}, token, wait = sleepFor } = options;
  const connection = { hubUrl: readHubAddress(), token: findToken(token), silenceSeconds: silenceLimit(), wait };
  const snapshots = listSnapshots(repoFolder).length;
  const lookup: Lookup = { type, id, revision, near, cacheFolder, snapshots, connection };
  if (isOffline()) throw explainFailure(lookup, "offline");
  try {
    return await downloadSnapshot({ type, id, connection, repoFolder, choose, onProgress, accept });
  } catch (error) {
    throw error instanceof KitError ? error : explainFailure(lookup, error);
  }
}

const sleepFor: Connection["wait"] = (seconds) => sleep(1000 * seconds);
