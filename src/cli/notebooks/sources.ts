import { createHash } from "node:crypto";
import fs, { existsSync, readdirSync, readFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join, relative, resolve, sep } from "node:path";
import type { Notebook } from "./runNotebook.ts";

/** The folders of data/ whose files a notebook's numbers come from. */
const SOURCES: readonly string[] = ["runs", "paper", "models", "samples"];

/** How the run files of a folder are named where a notebook took all that there were. */
const ALL_RUNS = "*.jsonl";

/**
 * What a notebook's stored outputs were made from: a digest of its code and of what that showed, and one of every file of data/ that it
 * read, by the path from there; "runs/table1/*.jsonl" stands for all the run files of a folder.
 */
export interface Sources {
  readonly cells: string;
  readonly files: Readonly<Record<string, string>>;
}

/** Notes from now on which files of data/ this process reads, and of which folders it takes all run files; the result tells which so far. */
export function watchReads(data: string): () => string[] {
  const seen = new Set<string>();
  const note = (path: unknown, all = ""): void => {
    if (typeof path !== "string") return;
    const name = relative(data, join(resolve(path), all))
      .split(sep)
      .join("/");
    if (SOURCES.includes(name.split("/")[0]!) && !/\.(part|lock)/.test(name)) seen.add(name);
  };
  const watch = (
    name: "readFileSync" | "openSync" | "renameSync" | "readdirSync",
    noted: (args: unknown[]) => void,
  ) => {
    const plain = fs[name] as (...args: unknown[]) => unknown;
    Object.assign(fs, {
      [name]: (...args: unknown[]) => {
        noted(args);
        return plain(...args);
      },
    });
  };
  watch("readFileSync", ([path]) => note(path));
  watch("openSync", ([path]) => note(path));
  watch("renameSync", ([, path]) => note(path)); // a run that is finished takes its name so
  watch("readdirSync", ([path]) => note(path, ALL_RUNS));
  syncBuiltinESMExports();
  return () => [...seen];
}

/** What a notebook was made from whose cells read these, all files as they are now. What is no file, or a folder without runs, is left out. */
export function sourcesOf(notebook: Notebook, reads: readonly string[], data: string): Sources {
  const folders = reads.filter((name) => name.endsWith(ALL_RUNS)).map((name) => name.slice(0, -ALL_RUNS.length));
  const isApart = (name: string): boolean =>
    !folders.some((folder) => name.startsWith(folder) && /^[^/]*\.jsonl$/.test(name.slice(folder.length)));
  const kept = reads.filter((name) => name.endsWith(ALL_RUNS) || isApart(name)).sort();
  const files = kept.flatMap((name) => {
    const digest = digestOf(name, data);
    return digest === undefined ? [] : [[name, digest]];
  });
  return { cells: cellsDigest(notebook), files: Object.fromEntries(files) };
}

/** What is no longer as it was when the outputs were stored: "its cells", and the names of files. */
export function changedSince(notebook: Notebook, { cells, files }: Sources, data: string): string[] {
  const changed = Object.keys(files).filter((name) => digestOf(name, data) !== files[name]);
  return [...(cellsDigest(notebook) === cells ? [] : ["its cells"]), ...changed];
}

/** Of the code and of all that it showed. */
const cellsDigest = ({ cells }: Notebook): string =>
  sha256(
    JSON.stringify(
      cells
        .filter(({ cell_type }) => cell_type === "code")
        .map(({ source, outputs }) => [[source].flat().join(""), outputs]),
    ),
  );

function digestOf(name: string, data: string): string | undefined {
  const path = join(data, name);
  if (!name.endsWith(ALL_RUNS)) return existsSync(path) && fs.statSync(path).isFile() ? fileDigest(path) : undefined;
  const folder = path.slice(0, -ALL_RUNS.length);
  const runs = existsSync(folder) ? readdirSync(folder).filter((one) => one.endsWith(".jsonl")) : [];
  if (runs.length === 0) return undefined;
  return sha256(
    runs
      .sort()
      .map((one) => `${one} ${fileDigest(join(folder, one))}\n`)
      .join(""),
  );
}

const fileDigest = (path: string): string => sha256(readFileSync(path));

/** Enough of a SHA-256 to tell any two files apart. */
const sha256 = (content: Buffer | string): string => createHash("sha256").update(content).digest("hex").slice(0, 16);
