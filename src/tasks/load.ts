import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { KitError, shown } from "../error.ts";
import { deduplicate, droppedRows, droppedText, examplesOf, isLabelled } from "./examples.ts";
import { findTask, plain } from "./index.ts";
import { missingPart, readPart, readRows } from "./read/folder.ts";
import type { Dialect, Quoting, Rows } from "./read/table.ts";
import { jointSha256 } from "./read/text.ts";
import {
  checkSizes,
  drawTest,
  kShotSplit,
  type PartSizes,
  type Parts,
  type Pools,
  paperSplit,
  proportionalSplit,
  threeParts,
} from "./split.ts";
import type { DataSource, Example, Task, TaskDefinition } from "./task.ts";

/**
 * The few rows in the task's own form that come with the kit, made up for it: they show that a task works, and no score on them means
 * anything. Throws a KitError where the kit has none for the task.
 */
export async function samplesOf({ name }: TaskDefinition): Promise<Rows> {
  const file = fileURLToPath(new URL(`../../data/samples/${plain(name)}.jsonl`, import.meta.url));
  if (!existsSync(file)) throw new KitError(`${name} has no rows of its own in the kit: name a data folder or file.`);
  return { ...(await readRows(file)), name: `samples of ${name}` };
}

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
  /** Of files that are neither in UTF-8 nor marked as UTF-16: "windows-1252", "shift_jis" and so on. */
  readonly encoding?: string | undefined;
  /** Whether double quotes stand around fields of TSV and CSV files ("double") or are characters like others ("none"); else the file tells. */
  readonly quoting?: Quoting | undefined;
  /** For folders; "paper" by default. */
  readonly split?: Split | undefined;
  readonly seed?: number | undefined;
}

type Settings = { readonly [Key in "split" | "k"]?: LoadTaskOptions[Key] } & {
  readonly sizes: PartSizes;
  readonly seed: number;
  readonly dialect: Dialect;
};

const KEYS = ["data", "train", "dev", "test", "k", "split", "seed", "encoding", "quoting"];
const SPLITS: readonly Split[] = ["paper", "proportional", "files"];
const QUOTINGS: readonly Quoting[] = ["double", "none"];

/**
 * Loads a task of the kit, by name, or one's own, with its examples drawn as the authors' code draws them under the seed (NumPy's
 * generator), as many as asked or as there are. Unlike the paper, rows of one file are first freed of repetitions. What was left out is
 * counted in the task's `data.dropped`, and said in its `remark`.
 */
export async function loadTask(task: string | TaskDefinition, options: LoadTaskOptions = {}): Promise<Task> {
  const definition = findTask(task);
  checkOptions(options);
  const { data, train = 1000, dev = definition.devSize ?? 500, test = 1000, k, split, seed = 0 } = options;
  const { encoding, quoting } = options;
  const settings = { sizes: { train, dev, test }, k, split, seed, dialect: { encoding, quoting } };
  checkSizes(k === undefined ? settings.sizes : { k, test });
  const { data: source, ...parts } = isFolder(data)
    ? await drawFromFolder(definition, data!, settings)
    : drawFromOne(definition, await rowsOf(definition, data, settings.dialect), settings);
  const { name, metric, loss, classes } = definition;
  const { dropped } = source;
  const remark = [parts.remark, dropped && droppedText(dropped)].filter((some) => some !== undefined).join("; ");
  return { name, metric, loss, ...(classes && { classes }), data: source, ...parts, ...(remark !== "" && { remark }) };
}

interface Drawn extends Parts {
  readonly data: DataSource;
  readonly pool?: readonly Example[];
}

const DEV_PARTS = ["dev", "val", "validation", "dev32"];

async function drawFromFolder(definition: TaskDefinition, folder: string, settings: Settings): Promise<Drawn> {
  const { split = "paper", sizes, k, seed, dialect } = settings;
  const shots = k === undefined ? undefined : join(folder, `${k}-${seed}`);
  if (shots !== undefined && statSync(shots, { throwIfNoEntry: false })?.isDirectory())
    return atMost(sizes.test, await drawFromFolder(definition, shots, { sizes, seed, dialect, split: "files" }));
  const part = async (names: readonly string[], wanted: string, suits?: (rows: Rows) => boolean): Promise<Rows> => {
    const rows = await readPart(folder, names, dialect, suits);
    if (rows) return rows;
    throw missingPart(folder, wanted);
  };
  const labelled = (rows: Rows): boolean => isLabelled(definition, rows);
  const train = await part(["train"], "train.*");
  if (split === "files") {
    const test = await part(["test"], "test.*", labelled);
    const dev = await part(DEV_PARTS, "dev.*, val.* or validation.*", labelled);
    const { pools, ...drawn } = together(definition, [train, dev, test]);
    return { ...drawn, train: pools[0]!, dev: pools[1]!, test: pools[2]! };
  }
  const test = await part(["test", ...DEV_PARTS], "test.*, dev.*, val.* or validation.*", labelled);
  const { pools, ...drawn } = together(definition, [train, test]);
  const from: Pools = { train: pools[0]!, test: pools[1]!, name: train.name };
  if (k !== undefined) return { ...drawn, ...kShotSplit(from, k, sizes.test, seed) };
  return { ...drawn, ...(split === "paper" ? paperSplit : proportionalSplit)(from, sizes, seed), pool: from.train };
}

/** The examples of each file, and what is to be told of all. */
function together(
  definition: TaskDefinition,
  files: readonly Rows[],
): Pick<Drawn, "data"> & { readonly pools: readonly (readonly Example[])[] } {
  const found = files.map((rows) => examplesOf(definition, rows));
  const unlabelled = found.reduce((sum, file) => sum + file.unlabelled, 0);
  const rows = found.reduce((sum, { examples }) => sum + examples.length, unlabelled);
  const dropped = droppedRows({ repeated: 0, contradicting: 0, unlabelled });
  return { data: { ...contentOf(files), rows, ...dropped }, pools: found.map(({ examples }) => examples) };
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
  const { examples, unlabelled } = examplesOf(definition, rows);
  const { examples: pool, ...twice } = deduplicate(examples);
  const parts =
    k === undefined
      ? threeParts(pool, rows.name, sizes, seed)
      : kShotSplit({ train: pool, test: [], name: rows.name }, k, sizes.test, seed);
  const dropped = droppedRows({ ...twice, unlabelled });
  return { data: { ...contentOf([rows]), rows: examples.length + unlabelled, ...dropped }, ...parts };
}

async function rowsOf(definition: TaskDefinition, data: string | undefined, dialect: Dialect): Promise<Rows> {
  if (data !== undefined && data !== "samples") return readRows(data, dialect);
  return data === undefined && definition.defaultRows ? definition.defaultRows() : samplesOf(definition);
}

function checkOptions(options: LoadTaskOptions): void {
  const unknown = Object.keys(options).filter((key) => !KEYS.includes(key));
  if (unknown.length > 0)
    throw new KitError(`Loading a task has no option ${unknown.join(", ")}: it has ${KEYS.join(", ")}.`);
  const { k, split, quoting } = options;
  if (quoting !== undefined && !QUOTINGS.includes(quoting))
    throw new KitError(`There is no quoting ${shown(quoting)}: choose one of ${QUOTINGS.join(", ")}.`);
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

function contentOf(files: readonly Rows[]): Pick<DataSource, "files" | "sha256"> {
  return { files: files.map(({ name }) => shortName(name)), sha256: jointSha256(files).slice(0, 12) };
}

/** A file goes by its folder's name and its own, so that no path of one machine gets into a run. */
function shortName(name: string): string {
  return posix.join(basename(dirname(name)), basename(name));
}
