import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KitError } from "../error.ts";
import { type DownloadProgress, downloadModel, repoFolder } from "./hubDownload.ts";
import {
  type Connection,
  findHubCache,
  HubFault,
  hubToken,
  isOffline,
  readHubAddress,
  silenceLimit,
} from "./hubRequest.ts";

/** Options of resolveModel. */
export interface ResolveModelOptions {
  readonly revision?: string;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Checks a model's config.json before its weights are downloaded, and throws for a model that cannot be used. */
  readonly accept?: (configPath: string) => void;
  /** A similar name, which errors suggest. */
  readonly near?: string | undefined;
  /** Waits between two tries; replaced in tests. */
  readonly wait?: Connection["wait"];
}

/**
 * The local folder of a model: an existing folder is returned; a hub id such as "facebook/opt-125m" or "roberta-large" is looked up
 * in the Hugging Face cache, and downloaded to it where it is missing. Hub, cache, token and time-out follow the environment variables of
 * the Hugging Face libraries. Throws a KitError where none of this works.
 */
export async function resolveModel(idOrFolder: string, options: ResolveModelOptions = {}): Promise<string> {
  if (existsSync(idOrFolder) && (statSync(idOrFolder).isDirectory() || idOrFolder.endsWith(".gguf"))) return idOrFolder;
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

/** A hub id: a name, or two with a slash between them. Paths such as ./opt, /opt and a/b/c are not. */
const HUB_ID = /^(\w[\w.-]*\/)?\w[\w.-]*$/;
const NO_HUB_ID = /--|\.\.|[.-](\/|$)|\.git$/;

function checkHubId(text: string, near: string | undefined): void {
  if (existsSync(text))
    throw new KitError(`Looking for the model ${text}: it is a file; give the folder that holds the model's files.`);
  if (HUB_ID.test(text) && !NO_HUB_ID.test(text)) return;
  const found = "there is no such folder, and it is not a hub id such as roberta-large or facebook/opt-125m";
  throw new KitError(
    `Looking for the model ${text}: ${found}; ${near ? `did you mean ${near}?` : "give one of them."}`,
  );
}

/** Where a model was looked for. */
export interface Lookup {
  readonly id: string;
  readonly revision: string;
  /** A similar name. */
  readonly near: string | undefined;
  readonly cacheFolder: string;
  /** How many snapshots of the model the cache has. */
  readonly snapshots: number;
  readonly connection: Connection;
}

/** What was found, and what to do. */
type Finding = readonly [found: string, advice: string];

const GIVE_FOLDER = "give a folder in Hugging Face layout, or name no model to use the bundled one";

/** The sentence that says why a model was not found, from what ended the search: an error, or that requests are forbidden. */
export function explainFailure(lookup: Lookup, cause: unknown): KitError {
  const { id, near, cacheFolder, snapshots } = lookup;
  const [found, advice] = explainCause(lookup, cause);
  const cached =
    snapshots > 1
      ? `holds ${snapshots} snapshots of it, none of them complete under refs/main`
      : "does not hold it completely";
  const meant = near ? ` (did you mean ${near}?)` : "";
  return new KitError(
    `Looking for the model ${id}: there is no such folder, the cache ${cacheFolder} ${cached}, and ${found}; ${advice}${meant}.`,
  );
}

function explainCause(lookup: Lookup, cause: unknown): Finding {
  if (cause === "offline")
    return ["HF_HUB_OFFLINE forbids asking the hub", `unset it to download the model, or ${GIVE_FOLDER}`];
  if (isFileFault(cause))
    return [
      `the download cannot be written (${cause.message})`,
      "make room, or name another cache folder in HF_HUB_CACHE, and try again: what has arrived is kept",
    ];
  if (!(cause instanceof HubFault)) return [`the download failed (${readMessage(cause)})`, GIVE_FOLDER];
  const { status, passing, retryAfter } = cause.facts;
  const { hubUrl } = lookup.connection;
  if (status === 401 || status === 403 || status === 404) return explainRefusal(lookup, cause);
  if (passing && retryAfter !== undefined)
    return [
      `the hub ${hubUrl} answered ${status} and asks for a pause of ${retryAfter} seconds`,
      "try again after that: what has arrived is kept",
    ];
  if (passing) return [`the hub ${hubUrl} failed (${cause.message})`, "try again: what has arrived is kept"];
  return [`the hub ${hubUrl} cannot be reached (${cause.message})`, GIVE_FOLDER];
}

function explainRefusal({ id, revision, connection }: Lookup, { facts }: HubFault): Finding {
  const { hubUrl, token } = connection;
  const { status, code } = facts;
  const page = `${hubUrl}/${id}`;
  if (code === "GatedRepo" || status === 403)
    return token
      ? [
          `the hub answered ${status}: the account of the token in ${token.from} has no access to its files`,
          `ask for access at ${page}, and see that the token may read gated models`,
        ]
      : [
          `the hub answered ${status}: it gives its files only to accounts that were granted access`,
          `ask for access at ${page}, then set HF_TOKEN to a token of that account`,
        ];
  if (code === "RevisionNotFound")
    return [`the hub answered ${status}: the model has no revision ${revision}`, `see ${page} for those it has`];
  if (token && status === 401)
    return [
      `the hub answered 401: the token in ${token.from} is not valid, or there is no such model`,
      "correct the name or the token",
    ];
  return [
    `the hub answered ${status}: no such public model or revision`,
    `correct the name, set HF_TOKEN if it is a private model, or ${GIVE_FOLDER}`,
  ];
}

/** An error of the file system, such as a full disk. */
const isFileFault = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && "syscall" in error && "errno" in error;

const readMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * The cached snapshot of a model that holds its configuration, weights and tokenizer, or undefined. Without a revision it is that of
 * `main`, or else of a pull request with converted weights, or, where the cache names no `main`, the only snapshot.
 */
export function findCached(cacheFolder: string, id: string, revision?: string): string | undefined {
  const repo = repoFolder(cacheFolder, id);
  const revisions = revision === undefined ? ["main", ...listPullRequests(repo)] : [revision];
  const named = revisions.map((name) => join(repo, "snapshots", readCommit(repo, name)));
  const only = revision === undefined && !existsSync(join(repo, "refs", "main")) ? ifOnly(listSnapshotsIn(repo)) : [];
  return [...named, ...only].find(isComplete);
}

/** The folders of a model's cached snapshots, complete or not. */
export function listSnapshots(cacheFolder: string, id: string): string[] {
  return listSnapshotsIn(repoFolder(cacheFolder, id));
}

const listSnapshotsIn = (repo: string): string[] =>
  listFolder(join(repo, "snapshots")).map((name) => join(repo, "snapshots", name));

const listPullRequests = (repo: string): string[] =>
  listFolder(join(repo, "refs", "refs", "pr")).map((number) => `refs/pr/${number}`);

const listFolder = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);

const ifOnly = (folders: readonly string[]): readonly string[] => (folders.length === 1 ? folders : []);

function readCommit(repo: string, revision: string): string {
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
    return false; // a missing or unreadable index is downloaded again
  }
}

/** The commit of a snapshot in the hub's cache; undefined for any other folder. */
export function findCommit(folder: string): string | undefined {
  return /[\\/]snapshots[\\/]([0-9a-f]{40})$/.exec(folder)?.[1];
}
