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
