/** What a header's `data` says of its rows: the hash of the files, whatever folder they were in. */
export function contentOf(data: string): string {
  return data.split(", sha256 ")[1] ?? data;
}

/** A K-shot folder of the authors' code: its k and its seed. */
const SHOTS = /\b(\d+)-\d+\//g;

/**
 * What must be the same in the `data` of runs that are averaged: the content. Of the authors' K-shot folders, whose training rows are others
 * under each seed, it is the k and the files' names.
 */
export function sourceOf(data: string): string {
  const [files = ""] = data.split(", sha256 ");
  return files.search(SHOTS) < 0 ? contentOf(data) : files.replace(SHOTS, "$1-seed/");
}
