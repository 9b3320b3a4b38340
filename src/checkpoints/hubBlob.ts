import { createHash } from "node:crypto";
import { closeSync, createReadStream, existsSync, openSync, statSync, truncateSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { KitError } from "../error.ts";
import { ask, type Connection, HubFault, retried } from "./hubRequest.ts";
import type { HubFile } from "./hubSnapshot.ts";

/** Told how many bytes of a file are there, or, of a whole one, have been checked. */
export interface BlobListener {
  readonly arrived: (bytes: number) => void;
  readonly checked: (bytes: number) => void;
}

/** A file that is being fetched: where it comes from, and where it lies until it is whole. */
interface Fetch {
  readonly connection: Connection;
  readonly url: string;
  readonly file: HubFile;
  readonly incomplete: string;
}

/**
 * Fetches a file into the cache, where it is named by its content. What has arrived lies beside it as `.incomplete`, as the Hugging Face
 * libraries have it, and the next try, of this process or a later one, continues from there. Throws a KitError for content that is not
 * what the hub lists, which is deleted, else a HubFault.
 */
export async function fetchBlob(
  connection: Connection,
  url: string,
  file: HubFile,
  blob: string,
  listener: BlobListener,
): Promise<void> {
  const incomplete = `${blob}.incomplete`;
  await mkdir(dirname(blob), { recursive: true });
  const left = lengthOf(incomplete, file.size);
  await fetchAll({ connection, url, file, incomplete }, left, listener.arrived);
  const content = await finish(incomplete, file, blob, listener.checked);
  if (content === file.blob) return;
  await rm(incomplete, { force: true });
  if (left > 0) return fetchBlob(connection, url, file, blob, listener); // what lay there was damaged, or another program's
  throw damaged(`the content of ${file.path} is ${content}, and the hub lists ${file.blob}`);
}

/** Gives a whole file the name of its content, where that is the one listed; returns what it is. */
async function finish(incomplete: string, file: HubFile, blob: string, checked: (bytes: number) => void) {
  try {
    const content = await contentId(incomplete, file, checked);
    if (content === file.blob) await rename(incomplete, blob);
    return content;
  } catch (error) {
    if (existsSync(blob)) return file.blob; // another process wrote the same bytes to the same places, and was the first to finish
    throw error;
  }
}

/** Fetches the rest of a file, in as many tries as it needs. A hub that begins anew each time makes no progress. */
async function fetchAll(fetch: Fetch, left: number, arrived: BlobListener["arrived"]): Promise<void> {
  let most = left;
  await retried(fetch.connection, (progressed) =>
    fetchRest(fetch, (bytes) => {
      arrived(bytes);
      if (bytes <= most) return;
      most = bytes;
      progressed();
    }),
  );
}

async function fetchRest({ connection, url, file, incomplete }: Fetch, arrived: (bytes: number) => void) {
  const have = lengthOf(incomplete, file.size);
  arrived(have);
  if (have === file.size) return;
  const headers = { "accept-encoding": "identity", ...(have > 0 && { range: `bytes=${have}-` }) };
  await ask(connection, url, headers, async ({ status, body }, heard) => {
    const start = status === 206 ? have : 0; // a server that knows no ranges sends all
    const told = (bytes: number) => {
      heard();
      arrived(bytes);
    };
    const end = await write(body ?? [], incomplete, { start, size: file.size }, told);
    if (end > file.size) throw await tooLong(incomplete, file);
    if (end < file.size) throw new HubFault(`${file.path} ended after ${end} of ${file.size} bytes`, { passing: true });
  });
}

/** Writes what comes to a file from `start` on, no more than `size` bytes in all; gives where it ended, beyond `size` for what is longer. */
async function write(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  path: string,
  { start, size }: { readonly start: number; readonly size: number },
  told: (bytes: number) => void,
): Promise<number> {
  const handle = await open(path, "r+");
  let at = start;
  try {
    for await (const chunk of chunks) {
      if (at + chunk.length > size) return at + chunk.length;
      for (let from = 0; from < chunk.length; )
        from += (await handle.write(chunk, from, chunk.length - from, at + from)).bytesWritten;
      at += chunk.length;
      told(at);
    }
    await handle.sync(); // the name that it gets says that it is whole
    return at;
  } finally {
    await handle.close();
  }
}

/** The bytes that are there, in a file that is made where there is none, and emptied where it is too long. */
function lengthOf(incomplete: string, size: number): number {
  closeSync(openSync(incomplete, "a"));
  const { size: have } = statSync(incomplete);
  if (have <= size) return have;
  truncateSync(incomplete);
  return 0;
}

/** What a file's content would be named in the cache: its SHA-256, or for files that lie in Git itself the SHA-1 that Git gives it. */
async function contentId(path: string, { size, blob }: HubFile, checked: (bytes: number) => void): Promise<string> {
  const hash = blob.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 4 << 20 })) {
    hash.update(chunk);
    bytes += chunk.length;
    checked(bytes);
  }
  return hash.digest("hex");
}

async function tooLong(incomplete: string, { path, size }: HubFile): Promise<KitError> {
  await rm(incomplete, { force: true });
  return damaged(`${path} is longer than the ${size} bytes that the hub lists`);
}

function damaged(finding: string): KitError {
  return new KitError(
    `Downloading from the hub: ${finding}, so it was changed or damaged on its way and has been deleted; start the download again, and look into the connection if that does not help.`,
  );
}
