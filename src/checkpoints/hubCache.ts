import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { KitError, shown } from "../error.ts";
import { type Connection, HubFault, hubFetch } from "./hubRequest.ts";

/** Where a model was looked for. */
export interface Lookup {
  readonly id: string;
  readonly revision: string;
  /** A name that may have been meant. */
  readonly near: string | undefined;
  readonly cacheFolder: string;
  /** How many snapshots of the model the cache has. */
  readonly snapshots: number;
  readonly connection: Connection;
}

/** What was found, and what to do. */
type Finding = readonly [found: string, advice: string];

const GIVE_FOLDER = "give a folder in Hugging Face layout, or name no model to use the bundled one";

/** Why a model was not found, in one sentence, from what ended the search for it: a fault, or that requests are forbidden. */
export function explainFailure(lookup: Lookup, cause: unknown): KitError {
  const { id, near, cacheFolder, snapshots } = lookup;
  const [found, advice] = explainCause(lookup, cause);
  const cached =
    snapshots > 1 ? `holds ${snapshots} snapshots of it, none of them whole under refs/main` : "does not hold it whole";
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

/** A full disk, a folder that cannot be written, and the like. */
const isFileFault = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && "syscall" in error && "errno" in error;

const readMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A model's folder in the cache, where `blobs`, `refs` and `snapshots` lie. */
export function repoFolder(cacheFolder: string, id: string): string {
  return join(cacheFolder, `models--${id.replace("/", "--")}`);
}

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

/** The folders of a model's cached snapshots, whole or not. */
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
    return false; // no index, or one that cannot be read: it is downloaded again
  }
}

/** The commit of a snapshot in the hub's cache; undefined for any other folder. */
export function findCommit(folder: string): string | undefined {
  return /[\\/]snapshots[\\/]([0-9a-f]{40})$/.exec(folder)?.[1];
}

/** A model on a hub; revision "main" falls back to the hub's own conversion to safetensors. */
export interface HubModel {
  readonly id: string;
  readonly revision: string;
  readonly connection: Connection;
}

/** A file on the hub: its name, its bytes and the id of its content. */
export interface HubFile {
  readonly path: string;
  readonly size: number;
  readonly blob: string;
}

/** A commit of a model and those of its files that the kit reads. */
export interface Snapshot {
  readonly revision: string;
  readonly commit: string;
  readonly files: readonly HubFile[];
}

const WANTED =
  /^((config|generation_config|tokenizer|tokenizer_config|vocab|added_tokens)\.json|merges\.txt|model(-\d+-of-\d+)?\.safetensors(\.index\.json)?)$/;

const CONVERSION_TITLE = "Adding `safetensors` variant of this model";

const CONVERSION_AUTHOR = "SFconvertbot";

/** The commit that has a model's weights as safetensors; throws a KitError where none has, else a HubFault. */
export async function findSnapshot(model: HubModel): Promise<Snapshot> {
  const snapshot = await listSnapshot(model, model.revision);
  if (hasWeights(snapshot)) return snapshot;
  const converted = model.revision === "main" ? await findConversion(model) : undefined;
  if (converted) return listSnapshot(model, converted);
  throw new KitError(
    `Downloading the model ${model.id}: the hub has no safetensors weights at revision ${model.revision}; convert the model and give its folder.`,
  );
}

async function listSnapshot({ id, connection }: HubModel, revision: string): Promise<Snapshot> {
  const hub = await import("@huggingface/hub");
  const at = { hubUrl: connection.hubUrl, fetch: hubFetch(connection) };
  const { sha } = await hub.modelInfo({ name: id, revision, additionalFields: ["sha"], ...at });
  const commit = checkId(sha);
  const files: HubFile[] = [];
  for await (const { type, path, size, oid, lfs } of hub.listFiles({ repo: id, revision: commit, ...at })) {
    if (type === "file" && WANTED.test(path))
      files.push({ path, size: checkSize(path, size), blob: checkId(lfs?.oid ?? oid ?? "") });
  }
  return { revision, commit, files };
}

function hasWeights({ files }: Snapshot): boolean {
  return files.some(({ path }) => path.endsWith(".safetensors"));
}

/** Many older models, OPT's among them, have safetensors only in a pull request of the hub's own bot; only its are trusted. */
async function findConversion(model: HubModel): Promise<string | undefined> {
  const found = (await listDiscussions(model)).find(
    ({ title, author, status, isPullRequest }) =>
      isPullRequest && status === "open" && title === CONVERSION_TITLE && author?.name === CONVERSION_AUTHOR,
  );
  return found && `refs/pr/${Number(found.num)}`;
}

async function listDiscussions({ id, connection }: HubModel): Promise<readonly Discussion[]> {
  const url = `${connection.hubUrl}/api/models/${id}/discussions?type=pull_request&status=open&author=${CONVERSION_AUTHOR}`;
  try {
    const response = await hubFetch(connection)(url);
    return ((await response.json()) as { discussions: Discussion[] }).discussions;
  } catch (error) {
    if (error instanceof HubFault && error.facts.status !== undefined) return []; // a model may have none
    throw error;
  }
}

interface Discussion {
  readonly num: number;
  readonly title: string;
  readonly status: string;
  readonly isPullRequest: boolean;
  readonly author?: { readonly name: string };
}

/** Commits and contents become file names here, so what the server sends must be no path: SHA-1 or SHA-256. */
function checkId(id: string): string {
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(id))
    throw new Error(`the hub answered ${shown(id)} where an object id was expected`);
  return id;
}

function checkSize(path: string, size: number): number {
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new Error(`the hub answered ${shown(size)} where the bytes of ${path} were expected`);
}
