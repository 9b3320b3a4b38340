import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A model's folder in the cache, where `blobs`, `refs` and `snapshots` lie. */
export function cachedRepo(cacheFolder: string, id: string): string {
  return join(cacheFolder, `models--${id.replace("/", "--")}`);
}

/**
 * The cached snapshot of a model that holds its configuration, weights and tokenizer, or undefined. Without a revision it is that of
 * `main`, or else of a pull request with converted weights, or, where the cache names no `main`, the only snapshot.
 */
export function findCached(cacheFolder: string, id: string, revision?: string): string | undefined {
  const repo = cachedRepo(cacheFolder, id);
  const revisions = revision === undefined ? ["main", ...pullRequests(repo)] : [revision];
  const named = revisions.map((name) => join(repo, "snapshots", commitOf(repo, name)));
  const only = revision === undefined && !existsSync(join(repo, "refs", "main")) ? onlyOne(snapshots(repo)) : [];
  return [...named, ...only].find(isComplete);
}

/** The folders of a model's cached snapshots, whole or not. */
export function cachedSnapshots(cacheFolder: string, id: string): string[] {
  return snapshots(cachedRepo(cacheFolder, id));
}

const snapshots = (repo: string): string[] =>
  listed(join(repo, "snapshots")).map((name) => join(repo, "snapshots", name));
const pullRequests = (repo: string): string[] =>
  listed(join(repo, "refs", "refs", "pr")).map((number) => `refs/pr/${number}`);
const listed = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);
const onlyOne = (folders: readonly string[]): readonly string[] => (folders.length === 1 ? folders : []);

function commitOf(repo: string, revision: string): string {
  const ref = join(repo, "refs", revision);
  return existsSync(ref) ? readFileSync(ref, "utf8").trim() : revision;
}

function isComplete(snapshot: string): boolean {
  const has = (file: string) => existsSync(join(snapshot, file));
  const hasTokenizer = has("tokenizer.json") || (has("vocab.json") && has("merges.txt"));
  return has("config.json") && hasTokenizer && (has("model.safetensors") || hasShards(snapshot));
}

function hasShards(snapshot: string): boolean {
  try {
    const index = JSON.parse(readFileSync(join(snapshot, "model.safetensors.index.json"), "utf8"));
    const shards = new Set(Object.values<string>(index.weight_map));
    return shards.size > 0 && [...shards].every((shard) => existsSync(join(snapshot, shard)));
  } catch {
    return false; // no index, or one that cannot be read: it is downloaded again
  }
}

/** The commit of a snapshot in the hub's cache; undefined for any other folder. */
export function snapshotCommit(folder: string): string | undefined {
  return /[\\/]snapshots[\\/]([0-9a-f]{40})$/.exec(folder)?.[1];
}
