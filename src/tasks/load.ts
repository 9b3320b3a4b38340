import { statSync } from "node:fs";
import { basename, dirname, posix } from "node:path";
import { KitError } from "../error.ts";
import { deduplicate } from "./deduplicate.ts";
import { examplesOf } from "./examples.ts";
import { readFolder } from "./folder.ts";
import { jointSha256 } from "./hash.ts";
import { findTask } from "./index.ts";
import { readRows } from "./read.ts";
import type { Rows } from "./rows.ts";
import { shuffle } from "./shuffle.ts";
import { checkSizes, realSizes } from "./sizes.ts";
import type { Task, TaskDefinition } from "./task.ts";

/** Where a task's rows come from and how many are drawn; the defaults are the paper's sizes (Table 1). */
export interface LoadTaskOptions {
  /** A folder with train.*, test.* or validation files, or one file that is split in three; without it, the task's default rows. */
  readonly data?: string | undefined;
  readonly train?: number | undefined;
  readonly dev?: number | undefined;
  readonly test?: number | undefined;
  readonly seed?: number | undefined;
}

interface Sizes extends Record<string, number> {
  readonly train: number;
  readonly dev: number;
  readonly test: number;
}

type Parts = Pick<Task, "data" | "train" | "dev" | "test">;

/**
 * Loads the task with its examples drawn by the seed, as many as asked or as there are. Unlike the paper, the
 * permutation is seedrandom's and not NumPy's, so the same seed draws other rows.
 */
export function loadTask(
  name: string,
  { data, train = 1000, dev = 500, test = 1000, seed = 0 }: LoadTaskOptions = {},
): Task {
  const definition = findTask(name);
  const sizes = { train, dev, test };
  checkSizes(sizes);
  const parts = isFolder(data)
    ? drawFromFolder(definition, data!, sizes, seed)
    : drawFromOne(definition, data === undefined ? defaultRows(definition) : readRows(data), sizes, seed);
  return { name: definition.name, ...parts };
}

/** Training rows, then dev rows, from the train file and test rows from the test file, without overlap (the paper's way). */
function drawFromFolder(definition: TaskDefinition, folder: string, sizes: Sizes, seed: number): Parts {
  const files = readFolder(definition, folder);
  const pool = shuffle(examplesOf(definition, files.train), String(seed));
  const { train, dev } = realSizes({ train: sizes.train, dev: sizes.dev }, pool.length, files.train.name);
  return {
    data: describe([files.train, files.test]),
    train: pool.slice(0, train),
    dev: pool.slice(train, train + dev),
    test: shuffle(examplesOf(definition, files.test), String(seed)).slice(0, sizes.test),
  };
}

/** All three parts from the same rows, without overlap and without a text that occurs twice. */
function drawFromOne(definition: TaskDefinition, rows: Rows, sizes: Sizes, seed: number): Parts {
  const pool = shuffle(deduplicate(examplesOf(definition, rows)), String(seed));
  const { train, dev, test } = realSizes(sizes, pool.length, rows.name);
  return {
    data: describe([rows]),
    train: pool.slice(0, train),
    dev: pool.slice(train, train + dev),
    test: pool.slice(train + dev, train + dev + test),
  };
}

function defaultRows(definition: TaskDefinition): Rows {
  if (definition.defaultRows) return definition.defaultRows();
  throw new KitError(`${definition.name} has no rows of its own in the kit: name a data folder or file.`);
}

function isFolder(data: string | undefined): boolean {
  if (data === undefined) return false;
  const found = statSync(data, { throwIfNoEntry: false });
  if (!found) throw new KitError(`There is no data folder or file ${data}; check its path.`);
  return found.isDirectory();
}

function describe(files: readonly Rows[]): string {
  return `${files.map(({ name }) => shortName(name)).join(" + ")}, sha256 ${jointSha256(files).slice(0, 12)}`;
}

/** A file goes by its folder's name and its own, so that no path of one machine gets into a run. */
function shortName(name: string): string {
  return posix.join(basename(dirname(name)), basename(name));
}
