import { createWriteStream, existsSync } from "node:fs";
import { copyFile, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { cachedRepo } from "./hubCache.ts";
import { findSnapshot, type HubFile, type HubModel } from "./hubSnapshot.ts";

/** How far a download is: bytes of all files of the model together, and the file being fetched. */
export interface DownloadProgress {
  readonly file: string;
  readonly bytes: number;
  readonly totalBytes: number;
}

/** Which model is fetched, and the cache that it goes to. */
export interface Download extends HubModel {
  readonly cacheFolder: string;
  readonly onProgress: (progress: DownloadProgress) => void;
}

/** Fetches a model's files into the Hugging Face cache and gives their snapshot folder; throws what the hub answers. */
export async function downloadModel(download: Download): Promise<string> {
  const snapshot = await findSnapshot(download);
  const repo = cachedRepo(download.cacheFolder, download.id);
  const folder = join(repo, "snapshots", snapshot.commit);
  const totalBytes = snapshot.files.reduce((sum, file) => sum + file.size, 0);
  let bytes = 0;
  for (const file of snapshot.files) {
    const blob = join(repo, "blobs", file.blob);
    const count = (read: number) => {
      bytes += read;
      download.onProgress({ file: file.path, bytes, totalBytes });
    };
    if (existsSync(blob)) count(file.size);
    else await fetchBlob(download, snapshot.commit, file, blob, count);
    await link(blob, join(folder, file.path));
  }
  await writeRef(join(repo, "refs", snapshot.revision), snapshot.commit);
  return folder;
}

async function fetchBlob(
  { id, hubUrl }: Download,
  revision: string,
  { path, size }: HubFile,
  blob: string,
  count: (bytes: number) => void,
): Promise<void> {
  const hub = await import("@huggingface/hub");
  const body = await hub.downloadFile({ repo: id, path, revision, hubUrl, xet: false });
  if (!body) throw new Error(`${path} is listed but cannot be fetched`);
  const incomplete = `${blob}.${process.pid}.incomplete`;
  await mkdir(dirname(blob), { recursive: true });
  try {
    const received = await save(Readable.fromWeb(body.stream() as ReadableStream), incomplete, count);
    if (received !== size) throw new Error(`${path} ended after ${received} of ${size} bytes`);
    await rename(incomplete, blob);
  } finally {
    await rm(incomplete, { force: true });
  }
}

async function save(body: AsyncIterable<Uint8Array>, path: string, count: (bytes: number) => void): Promise<number> {
  let received = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      received += chunk.length;
      count(chunk.length);
      yield chunk;
    }
  }
  await pipeline(counted, createWriteStream(path));
  return received;
}

async function link(blob: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await rm(path, { force: true });
  try {
    await symlink(relative(dirname(path), blob), path);
  } catch {
    await copyFile(blob, path); // Windows allows links to administrators only
  }
}

async function writeRef(path: string, commit: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, commit);
}
