import { existsSync, statSync } from "node:fs";
import { copyFile, mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fetchBlob } from "./hubBlob.ts";
import { cachedRepo } from "./hubCache.ts";
import type { Connection } from "./hubRequest.ts";
import { findSnapshot, type HubFile, type HubModel } from "./hubSnapshot.ts";

/** How far a download is: the file at hand, and bytes of all files of the model together. */
export interface DownloadProgress {
  readonly file: string;
  readonly bytes: number;
  readonly totalBytes: number;
  /** After how many seconds the hub is asked again, where it failed. */
  readonly waitSeconds?: number;
  /** Whether a file that has arrived is being checked: the bytes are then of that file alone. */
  readonly checking?: true;
}

/** Which model is fetched, and the cache that it goes to. */
export interface Download extends HubModel {
  readonly cacheFolder: string;
  readonly onProgress: (progress: DownloadProgress) => void;
  /** Looks at the model's config.json before its weights are fetched, and throws where they are not worth it. */
  readonly accept: (configPath: string) => void;
}

/** Fetches a model's files into the Hugging Face cache and gives their snapshot folder; throws what the hub's answers give cause for. */
export async function downloadModel(given: Download): Promise<string> {
  const download = tellingWaits(given);
  download.onProgress({ file: "list of files", bytes: 0, totalBytes: 1 });
  const { commit, files, revision } = await findSnapshot(download);
  const repo = cachedRepo(download.cacheFolder, download.id);
  const folder = join(repo, "snapshots", commit);
  const totalBytes = files.reduce((sum, file) => sum + file.size, 0);
  let before = 0;
  for (const file of configFirst(files)) {
    const blob = join(repo, "blobs", file.blob);
    const url = `${download.connection.hubUrl}/${download.id}/resolve/${commit}/${file.path}`;
    const arrived = (bytes: number) => download.onProgress({ file: file.path, bytes: before + bytes, totalBytes });
    if (isThere(blob, file)) arrived(file.size);
    else await fetchBlob(download.connection, url, file, blob, { arrived, checked: tellChecked(download, file) });
    await link(blob, join(folder, file.path));
    if (file.path === CONFIG) download.accept(join(folder, CONFIG));
    before += file.size;
  }
  await writeRef(join(repo, "refs", revision), commit);
  return folder;
}

const CONFIG = "config.json";

const configFirst = (files: readonly HubFile[]): HubFile[] =>
  [...files].sort((a, b) => Number(b.path === CONFIG) - Number(a.path === CONFIG));

const isThere = (blob: string, { size }: HubFile): boolean => existsSync(blob) && statSync(blob).size === size;

/** The same download, whose progress tells of waiting too. */
function tellingWaits(download: Download): Download {
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

/** Bytes that are checked in well under a second. */
const SOON_CHECKED = 256 << 20;

function tellChecked({ onProgress }: Download, { path: file, size }: HubFile): (bytes: number) => void {
  return size < SOON_CHECKED ? () => {} : (bytes) => onProgress({ file, bytes, totalBytes: size, checking: true });
}

async function link(blob: string, path: string): Promise<void> {
  const next = `${path}.${process.pid}.next`;
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
