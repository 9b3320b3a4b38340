import { createHash, randomUUID } from "node:crypto";
import { closeSync, createReadStream, existsSync, openSync, statSync, truncateSync } from "node:fs";
import { copyFile, mkdir, open, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { KitError } from "../../error.ts";
import { CONFIG } from "../modelFiles.ts";
import { type HubFile, type HubRepo, type Listing, listingOf, type Wanted } from "./listing.ts";
import { ask, type Connection, HubFault, retry } from "./request.ts";

/** The progress of a download: the present file, and the bytes of all files together. */
export interface DownloadProgress {
  readonly file: string;
  readonly bytes: number;
  readonly totalBytes: number;
  /** Seconds until the next try, after a failure. */
  readonly waitSeconds?: number;
  /** A complete file is being checked: the bytes are those of that file alone. */
  readonly checking?: true;
}

/** What a download reports of itself to the user, in bytes. */
export interface DownloadEvent {
  readonly label: string;
  readonly done: number;
  readonly total: number;
  readonly file: string;
  /** The seconds until a hub that does not answer is asked again. */
  readonly waitSeconds?: number;
}

/** Returns a listener of downloads that reports them as events. */
export function downloadProgress(
  onProgress: (event: DownloadEvent) => void = () => {},
): (download: DownloadProgress) => void {
  return ({ file, bytes, totalBytes, waitSeconds, checking }) =>
    onProgress({
      label: checking ? "checking the download" : "downloading",
      done: bytes,
      total: totalBytes,
      file,
      ...(waitSeconds !== undefined && { waitSeconds }),
    });
}

/** Receives how many bytes of a file have arrived, and how many of a complete file have been checked. */
export interface BlobListener {
  readonly arrived: (bytes: number) => void;
  readonly checked: (bytes: number) => void;
}

/** A file that is being downloaded: its source, and its path until it is complete. */
interface Fetch {
  readonly connection: Connection;
  readonly url: string;
  readonly file: HubFile;
  readonly incomplete: string;
}

/**
 * Downloads a file into the cache, where its content is its name. An unfinished download is kept as `.incomplete`, as in the Hugging Face
 * libraries, and the next try, of this process or a later one, resumes it. Throws a KitError for content that differs from what the hub
 * lists, which is deleted, else a HubFault.
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
  const left = prepareIncomplete(incomplete, file.size);
  await fetchAll({ connection, url, file, incomplete }, left, listener.arrived);
  const content = await nameBlob(incomplete, file, blob, listener.checked);
  if (content === file.blob) return;
  await rm(incomplete, { force: true });
  if (left > 0) return fetchBlob(connection, url, file, blob, listener); // the unfinished file was damaged, or another program's
  throw damaged(`the content of ${file.path} is ${content}, and the hub lists ${file.blob}`);
}

/** Gives a complete file the name of its content where that is what the hub lists; returns the content's name. */
async function nameBlob(incomplete: string, file: HubFile, blob: string, checked: (bytes: number) => void) {
  try {
    const content = await computeContentId(incomplete, file, checked);
    if (content === file.blob) await rename(incomplete, blob);
    return content;
  } catch (error) {
    if (existsSync(blob)) return file.blob; // another process wrote the same bytes to the same file and finished first
    throw error;
  }
}

/** Downloads the rest of a file in as many tries as it needs. A hub that starts over each time makes no progress. */
async function fetchAll(fetch: Fetch, left: number, arrived: BlobListener["arrived"]): Promise<void> {
  let most = left;
  await retry(fetch.connection, (progressed) =>
    fetchRest(fetch, (bytes) => {
      arrived(bytes);
      if (bytes <= most) return;
      most = bytes;
      progressed();
    }),
  );
}

async function fetchRest({ connection, url, file, incomplete }: Fetch, arrived: (bytes: number) => void) {
  const have = prepareIncomplete(incomplete, file.size);
  arrived(have);
  if (have === file.size) return;
  const headers = { "accept-encoding": "identity", ...(have > 0 && { range: `bytes=${have}-` }) };
  await ask(connection, url, headers, async ({ status, body }, heard) => {
    const start = status === 206 ? have : 0; // a server without ranges sends all
    const told = (bytes: number) => {
      heard();
      arrived(bytes);
    };
    const end = await write(body ?? [], incomplete, { start, size: file.size }, told);
    if (end > file.size) throw await tooLong(incomplete, file);
    if (end < file.size) throw new HubFault(`${file.path} ended after ${end} of ${file.size} bytes`, { passing: true });
  });
}

/** Writes chunks to a file from `start`, up to `size` bytes; returns the end, which is beyond `size` where the content is too long. */
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
    await handle.sync(); // its final name says that it is complete
    return at;
  } finally {
    await handle.close();
  }
}

/** The bytes that have arrived; creates a missing file, and empties one that is too long. */
function prepareIncomplete(incomplete: string, size: number): number {
  closeSync(openSync(incomplete, "a"));
  const { size: have } = statSync(incomplete);
  if (have <= size) return have;
  truncateSync(incomplete);
  return 0;
}

/** The name of a file's content in the cache: its SHA-256, or for files in Git itself their SHA-1 there. */
async function computeContentId(
  path: string,
  { size, blob }: HubFile,
  checked: (bytes: number) => void,
): Promise<string> {
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
    `Downloading from the hub: ${finding}, so it was changed or damaged on its way and has been deleted; start the download again, and check the connection if that does not help.`,
  );
}

/** What to download, and the folder of the cache that it goes to. */
export interface Download extends HubRepo {
  readonly repoFolder: string;
  /** Chooses a revision and those of its files that are wanted. */
  readonly choose: (list: Listing) => Promise<Wanted>;
  readonly onProgress: (progress: DownloadProgress) => void;
  /** Checks a model's config.json before its weights are downloaded, and throws for a model that cannot be used. */
  readonly accept: (configPath: string) => void;
}

/** Downloads files of a repository into the Hugging Face cache; returns the path that is meant. Throws a KitError or a HubFault. */
export async function downloadSnapshot(given: Download): Promise<string> {
  const download = reportWaits(given);
  const { repoFolder, onProgress, accept } = download;
  onProgress({ file: "list of files", bytes: 0, totalBytes: 1 });
  const { commit, files, revision, path = "" } = await download.choose(listingOf(download));
  const folder = join(repoFolder, "snapshots", commit);
  const totalBytes = files.reduce((sum, file) => sum + file.size, 0);
  let before = 0;
  for (const file of sortConfigFirst(files)) {
    const blob = join(repoFolder, "blobs", file.blob);
    const arrived = (bytes: number) => onProgress({ file: file.path, bytes: before + bytes, totalBytes });
    const listener = { arrived, checked: reportChecked(download, file) };
    if (isDownloaded(blob, file)) arrived(file.size);
    else await fetchBlob(download.connection, addressOf(download, commit, file), file, blob, listener);
    await link(blob, join(folder, file.path));
    if (file.path === CONFIG) accept(join(folder, CONFIG));
    before += file.size;
  }
  if (revision !== commit) await writeRef(join(repoFolder, "refs", revision), commit);
  return join(folder, path);
}

function addressOf({ type, id, connection }: HubRepo, commit: string, { path }: HubFile): string {
  const start = type === "model" ? connection.hubUrl : `${connection.hubUrl}/datasets`;
  return `${start}/${id}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;
}

const sortConfigFirst = (files: readonly HubFile[]): HubFile[] =>
  [...files].sort((a, b) => Number(b.path === CONFIG) - Number(a.path === CONFIG));

const isDownloaded = (blob: string, { size }: HubFile): boolean => existsSync(blob) && statSync(blob).size === size;

/** The same download, whose progress reports waiting too. */
function reportWaits(download: Download): Download {
  const { connection } = download;
  let last: DownloadProgress;
  const onProgress: Download["onProgress"] = (progress) => {
    last = progress;
    download.onProgress(progress);
  };
  const wait: Connection["wait"] = (seconds) => {
    download.onProgress({ ...last, waitSeconds: seconds });
    return connection.wait(seconds);
  };
  return { ...download, onProgress, connection: { ...connection, wait } };
}

/** A file of fewer bytes is checked in well under a second. */
const SOON_CHECKED = 256 << 20;

function reportChecked({ onProgress }: Download, { path: file, size }: HubFile): (bytes: number) => void {
  return size < SOON_CHECKED ? () => {} : (bytes) => onProgress({ file, bytes, totalBytes: size, checking: true });
}

async function link(blob: string, path: string): Promise<void> {
  const next = `${path}.${randomUUID()}.next`; // a download of the same file may run in this process too
  await mkdir(dirname(path), { recursive: true });
  try {
    await symlink(relative(dirname(path), blob), next);
  } catch {
    await copyFile(blob, next); // Windows allows links to administrators only
  }
  await rename(next, path);
}

async function writeRef(path: string, commit: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, commit);
}
