import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The folder that the Hugging Face libraries cache models in: $HF_HUB_CACHE, $HF_HOME/hub or ~/.cache/huggingface/hub. */
export function hubCacheFolder(): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = process.env;
  const home = HF_HOME ?? join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface");
  return HF_HUB_CACHE ?? HUGGINGFACE_HUB_CACHE ?? join(home, "hub");
}

/** A model's folder in the cache, where `blobs`, `refs` and `snapshots` lie. */
export function cachedRepo(cacheFolder: string, id: string): string {
  return join(cacheFolder, `models--${id.replace("/", "--")}`);
}

/**
 * The cached snapshot of a model that holds its configuration, weights and tokenizer, or undefined.
 * Without a revision it is that of `main`, or else of a pull request with converted weights.
 */
export function findCached(cacheFolder: string, id: string, revision?: string): string | undefined {
  const repo = cachedRepo(cacheFolder, id);
  const revisions = revision === undefined ? ["main", ...pullRequests(repo)] : [revision];
  return revisions.map((name) => join(repo, "snapshots", commitOf(repo, name))).find(isComplete);
}

function pullRequests(repo: string): string[] {
  const folder = join(repo, "refs", "refs", "pr");
  return existsSync(folder) ? readdirSync(folder).map((number) => `refs/pr/${number}`) : [];
}

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
