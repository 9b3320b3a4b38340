import { showValue } from "../../error.ts";
import type { RepoType } from "./cache.ts";
import { type Connection, hubFetch } from "./request.ts";

/** A repository on a hub. */
export interface HubRepo {
  readonly type: RepoType;
  readonly id: string;
  readonly connection: Connection;
}

/** A file on the hub: its path, its bytes and the id of its content. */
export interface HubFile {
  readonly path: string;
  readonly size: number;
  readonly blob: string;
}

/** A commit of a repository, and files of it. */
export interface Snapshot {
  readonly revision: string;
  readonly commit: string;
  readonly files: readonly HubFile[];
}

/** What of a repository is wanted: files of a commit, and the path in it that is meant, its folder where none is. */
export interface Wanted extends Snapshot {
  readonly path?: string;
}

/** Lists all files of a repository at a revision. Throws a HubFault. */
export type Listing = (revision: string) => Promise<Snapshot>;

/** Returns what lists a repository's files. */
export function listingOf({ type, id, connection }: HubRepo): Listing {
  return async (revision) => {
    const { modelInfo, datasetInfo, listFiles } = await import("@huggingface/hub");
    const at = { hubUrl: connection.hubUrl, fetch: hubFetch(connection) };
    const asked = { name: id, revision, additionalFields: ["sha" as const], ...at };
    const { sha } = await (type === "model" ? modelInfo(asked) : datasetInfo(asked));
    const commit = checkId(sha);
    const files: HubFile[] = [];
    for await (const entry of listFiles({ repo: { type, name: id }, revision: commit, recursive: true, ...at })) {
      const { path, size, oid = "", lfs } = entry;
      if (entry.type === "file" && isSafe(path))
        files.push({ path, size: checkSize(path, size), blob: checkId(lfs?.oid ?? oid) });
    }
    return { revision, commit, files };
  };
}

/** Files get the same paths in the cache, out of which none must lead; what is no text names no file. */
const isSafe = (path: unknown): boolean =>
  typeof path === "string" && path.split("/").every((name) => !/^\.*$|[\\:]/.test(name));

/** Commits and contents become file names, so what the server sends must not be a path: a SHA-1 or SHA-256. */
function checkId(id: string): string {
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(id))
    throw new Error(`the hub answered ${showValue(id)} where an object id was expected`);
  return id;
}

function checkSize(path: string, size: number): number {
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new Error(`the hub answered ${showValue(size)} where the bytes of ${path} were expected`);
}
