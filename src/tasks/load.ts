import { statSync } from "node:fs";
import { basename, dirname, join, posix } from "node:path";
import { KitError } from "../error.ts";
import { deduplicate } from "./deduplicate.ts";
import { examplesOf, isLabelled } from "./examples.ts";
import { findTask } from "./index.ts";
import { missingPart, readPart } from "./read/folder.ts";
import { jointSha256 } from "./read/hash.ts";
import { readRows } from "./read/readRows.ts";
import type { Rows } from "./read/rows.ts";
import { samplesOf } from "./samples.ts";
import { checkSizes } from "./sizes.ts";
import {
  drawTest,
  kShotSplit,
  type PartSizes,
  type Pools,
  paperSplit,
  proportionalSplit,
  threeParts,
} from "./split.ts";
import type { Task, TaskDefinition } from "./task.ts";

/** How a folder's train file becomes train and dev: as the authors do, both shrinking alike, or as the folder's files stand. */
export type Split = "paper" | "proportional" | "files";

/** Where a task's rows come from and how many are drawn; the defaults are the paper's sizes (Table 1). */
export interface LoadTaskOptions {
  /**
   * A folder with train.*, test.* or validation files, one file that is split in three, or "samples"; without it, the task's default
   * rows, or the samples that come with the kit. Where k is given, also a folder of K-shot folders as the authors' code writes them,
   * of which 16-13 holds the parts of k 16 under seed 13.
   */
  readonly data?: string | undefined;
  readonly train?: number | undefined;
  /** 500, or what the authors take for the task (100 for CB and COPA). */
  readonly dev?: number | undefined;
  readonly test?: number | undefined;
  /** Rows per class in train and in dev, instead of their sizes (the paper's masked models: 16 and 512). */
  readonly k?: number | undefined;
  /** For folders; "paper" by default. */
  readonly split?: Split | undefined;
  readonly seed?: number | undefined;
}

type Settings = { readonly [Key in "split" | "k"]?: LoadTaskOptions[Key] } & {
  readonly sizes: PartSizes;
  readonly seed: number;
};

const KEYS = ["data", "train", "dev", "test", "k", "split", "seed"];
const SPLITS: readonly Split[] = ["paper", "proportional", "files"];

/**
 * Loads a task of the kit, by name, or one's own, with its examples drawn as the authors' code draws them under the seed (NumPy's
 * generator), as many as asked or as there are. Unlike the paper, rows of one file are first freed of repetitions.
 */
export async function loadTask(task: string | TaskDefinition, options: LoadTaskOptions = {}): Promise<Task> {
  const definition = findTask(task);
  checkOptions(options);
  const { data, train = 1000, dev = definition.devSize ?? 500, test = 1000, k, split, seed = 0 } = options;
  const settings = { sizes: { train, dev, test }, k, split, seed };
  checkSizes(k === undefined ? settings.sizes : { k, test });
  const parts = isFolder(data)
    ? await drawFromFolder(definition, data!, settings)
    : drawFromOne(definition, await rowsOf(definition, data), settings);
  const { name, metric, loss, classes } = definition;
  return { name, metric, loss, ...(classes && { classes }), ...parts };
}

type Drawn = Pick<Task, "data" | "train" | "dev" | "test" | "pool" | "remark">;

async function drawFromFolder(definition: TaskDefinition, folder: string, settings: Settings): Promise<Drawn> {
  const { split = "paper", sizes, k, seed } = settings;
  const shots = k === undefined ? undefined : join(folder, `${k}-${seed}`);
  if (shots !== undefined && statSync(shots, { throwIfNoEntry: false })?.isDirectory())
    return atMost(sizes.test, await drawFromFolder(definition, shots, { sizes, seed, split: "files" }));
  const labelled = (rows: Rows): boolean => isLabelled(definition, rows);
  const train = await readPart(folder, ["train"]);
  if (!train) throw missingPart(folder, "train.*");
  const others = split === "files" ? ["test"] : ["test", "dev", "val", "validation", "dev32"];
  const test = await readPart(folder, others, labelled);
  if (!test) throw missingPart(folder, split === "files" ? "test.*" : "test.*, dev.*, val.* or validation.*");
  const pools: Pools = { train: examplesOf(definition, train), test: examplesOf(definition, test), name: train.name };
  if (k !== undefined) return { data: describe([train, test]), ...kShotSplit(pools, k, sizes.test, seed) };
  if (split !== "files") {
    const drawSplit = split === "paper" ? paperSplit : proportionalSplit;
    return { data: describe([train, test]), ...drawSplit(pools, sizes, seed), pool: pools.train };
  }
  const dev = await readPart(folder, ["dev", "val", "validation", "dev32"], labelled);
  if (!dev) throw missingPart(folder, "dev.*, val.* or validation.*");
  return { data: describe([train, dev, test]), train: pools.train, dev: examplesOf(definition, dev), test: pools.test };
}

/** A K-shot folder's parts as they stand, of a longer test file the rows that the authors drew. */
function atMost(most: number, parts: Drawn): Drawn {
  return { ...parts, test: drawTest(parts.test, most) };
}

function drawFromOne(definition: TaskDefinition, rows: Rows, { split, sizes, k, seed }: Settings): Drawn {
  if (split !== undefined)
    throw new KitError(
      `${rows.name} is one set of rows, which has no split "${split}": leave out split, or name a data folder.`,
    );
  const pool = deduplicate(examplesOf(definition, rows));
  const parts =
    k === undefined
      ? threeParts(pool, rows.name, sizes, seed)
      : kShotSplit({ train: pool, test: [], name: rows.name }, k, sizes.test, seed);
  return { data: describe([rows]), ...parts };
}

async function rowsOf(definition: TaskDefinition, data: string | undefined): Promise<Rows> {
  if (data !== undefined && data !== "samples") return readRows(data);
  return data === undefined && definition.defaultRows ? definition.defaultRows() : samplesOf(definition);
}

function checkOptions(options: LoadTaskOptions): void {
  const unknown = Object.keys(options).filter((key) => !KEYS.includes(key));
  if (unknown.length > 0)
    throw new KitError(`Loading a task has no option ${unknown.join(", ")}: it has ${KEYS.join(", ")}.`);
  const { k, split } = options;
  if (split !== undefined && !SPLITS.includes(split))
    throw new KitError(`There is no split "${split}": choose one of ${SPLITS.join(", ")}.`);
  const clashing = (["train", "dev", "split"] as const).filter((key) => options[key] !== undefined);
  if (k !== undefined && clashing.length > 0)
    throw new KitError(
      `The option k says what train and dev are, so that ${clashing.join(", ")} cannot be given beside it.`,
    );
  const sized = (["train", "dev", "test"] as const).filter((key) => options[key] !== undefined);
  if (split === "files" && sized.length > 0)
    throw new KitError(
      `The split "files" takes all rows of the files, so that ${sized.join(", ")} cannot be given beside it.`,
    );
}

function isFolder(data: string | undefined): boolean {
  if (data === undefined || data === "samples") return false;
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
