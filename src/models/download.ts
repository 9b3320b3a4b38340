import type { DownloadProgress } from "../checkpoints/hubDownload.ts";
import type { Progress } from "../tensor/progress.ts";

/** Returns a listener of downloads that tells them, in bytes, as the progress "downloading" with the file as its note. */
export function downloadProgress(onProgress: Progress = () => {}): (download: DownloadProgress) => void {
  return ({ file, bytes, totalBytes, waitSeconds, checking }) =>
    onProgress({
      label: checking ? "checking the download" : "downloading",
      done: bytes,
      total: totalBytes,
      note: waitSeconds === undefined ? file : `${file}: no answer, the hub is asked again in ${waitSeconds} s`,
    });
}
