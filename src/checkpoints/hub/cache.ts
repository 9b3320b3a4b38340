import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { KitError } from "../../error.ts";

/** What a repository on the hub holds; the hub and its cache keep the two apart. */
export type RepoType = "model" | "dataset";

/** What errors call them. */
export const NOUNS: Readonly<Record<RepoType, string>> = { model: "model", dataset: "data set" };

/** A name on the hub in its parts: "owner/name/inside@revision". */
export interface HubName {
  /** The repository's: "roberta-large" or "facebook/opt-125m". */
  readonly id: string;
  /** What is meant of it: of a model one file, of a data set one of its configurations. */
  readonly inside?: string;
  /** A branch, a tag or a commit. */
  readonly revision?: string;
}

/** A name, or two with a slash between them. Paths such as ./opt and /opt are none. */
const ID = /^(\w[\w.-]*\/)?\w[\w.-]*$/;
const NO_ID = /--|\.\.|[.-](\/|$)|\.git$/;
const PATH = /^\w[\w.+-]*(\/\w[\w.+-]*)*$/;

/** The parts of a name on the hub; undefined for a text that is none. Throws a KitError for a revision that can be none. */
export function parseHubName(text: string): HubName | undefined {
  const [, path = "", revision] = /^([^@]*)(?:@(.*))?$/s.exec(text) ?? [];
  const names = path.split("/");
  const id = names.slice(0, 2).join("/");
  const inside = names.slice(2).join("/");
  if (!ID.test(id) || NO_ID.test(id)) return undefined;
  if (names.length > 2 && (!PATH.test(inside) || inside.includes(".."))) return undefined;
  if (revision !== undefined) checkRevision(text, revision);
  return { id, ...(names.length > 2 && { inside }), ...(revision !== undefined && { revision }) };
}

/** The revision that an option or the name gives. Throws a KitError where they give two, and for one that can be none. */
export function chooseRevision(text: string, { revision }: HubName, option: string | undefined): string | undefined {
  if (option === undefined) return revision;
  checkRevision(text, option);
  if (revision === undefined || revision === option) return option;
  throw new KitError(
    `Looking for ${text}: the name gives the revision ${revision} and the option ${option}; give one of them.`,
  );
}

/** A revision is a path in the cache, so that it must not lead out of it. */
function checkRevision(text: string, revision: string): void {
  if (PATH.test(revision) && !revision.includes("..")) return;
  throw new KitError(
    `Looking for ${text}: "${revision}" is no revision; give a branch, a tag or a commit, such as main, v1.0 or refs/pr/7.`,
  );
}

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
