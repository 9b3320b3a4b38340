import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RepoType } from "./hubName.ts";

/** The folder of a repository in the cache, where its `blobs`, `refs` and `snapshots` lie. */
export async function findRepoFolder(cacheFolder: string, type: RepoType, id: string): Promise<string> {
  const { getRepoFolderName } = await import("@huggingface/hub");
  return join(cacheFolder, getRepoFolderName({ type, name: id }));
}

/** The folders of a repository's cached snapshots, complete or not. */
export const listSnapshots = (repoFolder: string): string[] =>
  listFolder(join(repoFolder, "snapshots")).map((name) => join(repoFolder, "snapshots", name));

/**
 * The snapshots that a repository's cache has under these revisions, in their order; then, where `orOnly` and the cache names no `main`, the
 * only one that it has.
 */
export function findSnapshots(repoFolder: string, revisions: readonly string[], orOnly: boolean): string[] {
  const named = revisions.map((revision) => join(repoFolder, "snapshots", readCommit(repoFolder, revision)));
  const all = orOnly && !existsSync(join(repoFolder, "refs", "main")) ? listSnapshots(repoFolder) : [];
  return [...named, ...(all.length === 1 ? all : [])];
}

const listFolder = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);

function readCommit(repoFolder: string, revision: string): string {
  const ref = join(repoFolder, "refs", revision);
  return existsSync(ref) ? readFileSync(ref, "utf8").trim() : revision;
}

/** A path in a snapshot of the hub's cache. */
export interface CachedPath {
  /** The repository's. */
  readonly id: string;
  readonly commit: string;
  /** Where it lies in the repository, with slashes; absent for the snapshot's folder. */
  readonly inside?: string;
}

const CACHED = /(?:^|\/)(?:models|datasets)--([^/]+)\/snapshots\/([0-9a-f]{40})(?:\/(.+))?$/;

/** What a path in the hub's cache is of; undefined for any other path. */
export function parseCachedPath(path: string): CachedPath | undefined {
  const [, folder, commit, inside] = CACHED.exec(path.replaceAll("\\", "/")) ?? [];
  if (folder === undefined || commit === undefined) return undefined;
  return { id: folder.replace("--", "/"), commit, ...(inside !== undefined && { inside }) };
}
