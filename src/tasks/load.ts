import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { parseCachedPath } from "../checkpoints/hub/cache.ts";
import { type DownloadEvent, downloadProgress } from "../checkpoints/hub/download.ts";
import { KitError, showValue } from "../error.ts";
import { deduplicate, describeDropped, hasLabels, listDropped, makeExamples } from "./examples.ts";
import { findTask, slug } from "./index.ts";
import { DEV_PARTS, missingPart, readPart, readRows } from "./read/folder.ts";
import { isOnHub, resolveData } from "./read/hub.ts";
import type { Dialect, Quoting, Rows } from "./read/table.ts";
import { jointSha256 } from "./read/text.ts";
import {
  checkSizes,
  drawTest,
  type PartSizes,
  type Parts,
  type Pools,
  splitAsPaper,
  splitInThree,
  splitKShot,
  splitProportionally,
} from "./split.ts";
import type { DataSource, Example, Task, TaskDefinition } from "./task.ts";

/**
 * Reads the few made-up rows that the kit has for each of its tasks: they show that a task works, and scores on them mean nothing. Throws
 * a KitError where the kit has none for the task.
 */
export async function readSamples({ name }: TaskDefinition): Promise<Rows> {
  const file = fileURLToPath(new URL(`../../data/samples/${slug(name)}.jsonl`, import.meta.url));
  if (!existsSync(file)) throw new KitError(`${name} has no rows of its own in the kit: name a data folder or file.`);
  return { ...(await readRows(file)), name: `samples of ${name}` };
}

/** How a folder's files become train, dev and test: as the authors split them, shrunk in proportion where short, or one file each. */
export type Split = "paper" | "proportional" | "files";

/** Where a task's rows come from and how many are drawn; the defaults are the paper's sizes (Table 1). */
export interface LoadTaskOptions {
  /**
   * A folder with train.*, test.* or validation files, one file that is split in three, or "samples"; by default the task's default rows,
   * or the samples that come with the kit. With k, also a folder of K-shot folders as the authors' code writes them: 16-13 holds the parts
   * for k 16 and seed 13. A data set on the hub is "hf:owner/name", or "hf:owner/name/configuration", and either with "@revision".
   */
  readonly data?: string | undefined;
  /** Of a data set on the hub: a branch, a tag or a commit; its main branch by default. */
  readonly revision?: string | undefined;
  /** A token of the user's account, for private and gated data sets: sent to the hub alone, and by default the environment's HF_TOKEN. */
  readonly token?: string | undefined;
  readonly train?: number | undefined;
  /** 500, or the authors' number for the task (100 for CB and COPA). */
  readonly dev?: number | undefined;
  readonly test?: number | undefined;
  /** Rows per class in train and in dev, instead of their sizes (the paper's masked models: 16 and 512). */
  readonly k?: number | undefined;
  /** The encoding of files that are neither UTF-8 nor marked as UTF-16: "windows-1252", "shift_jis" and so on. */
  readonly encoding?: string | undefined;
  /** Whether double quotes enclose fields of TSV and CSV files ("double") or are ordinary characters ("none"); by default detected. */
  readonly quoting?: Quoting | undefined;
  /** For folders; "paper" by default. */
  readonly split?: Split | undefined;
  readonly seed?: number | undefined;
  /**
   * Draws the split in place of `seed`, and the batches of runs on the task too: runs of several seeds then differ in z alone, and in an
   * adapter's first weights.
   */
  readonly splitSeed?: number | undefined;
  /** Receives the progress of a download. */
  readonly onProgress?: ((event: DownloadEvent) => void) | undefined;
}

type Settings = { readonly [Key in "split" | "k"]?: LoadTaskOptions[Key] } & {
  readonly sizes: PartSizes;
  readonly seed: number;
  readonly dialect: Dialect;
};

const KEYS = [
  ...["data", "train", "dev", "test", "k", "split", "seed", "splitSeed", "encoding", "quoting"],
  ...["revision", "token", "onProgress"],
];
const SPLITS: readonly Split[] = ["paper", "proportional", "files"];
const QUOTINGS: readonly Quoting[] = ["double", "none"];

/**
 * Loads a task of the kit by name, or a task from outside the kit by its definition. Examples are drawn as in the authors' code under the
 * seed (NumPy's generator), as many as asked for or as there are. Unlike the paper, repetitions are removed first from the rows of one file.
 * `data.dropped` counts the rows that were left out, and `remark` mentions them. Throws a KitError for options and files that cannot be used.
 */
export async function loadTask(task: string | TaskDefinition, options: LoadTaskOptions = {}): Promise<Task> {
  const asked = findTask(task);
  checkOptions(options);
  const { train = asked.trainSize ?? 1000, dev = asked.devSize ?? 500, test = 1000, k, split, splitSeed } = options;
  const { encoding, quoting, seed = 0 } = options;
  const settings = { sizes: { train, dev, test }, k, split, seed: splitSeed ?? seed, dialect: { encoding, quoting } };
  checkSizes(k === undefined ? settings.sizes : { k, test });
  const data = await findData(options);
  const { data: source, ...parts } = isFolder(data)
    ? await drawFromFolder(asked, data!, settings)
    : drawFromOne(asked, await readTaskRows(asked, data, settings.dialect), settings);
  const { name, metric, loss, classes } = parts.definition;
  const { dropped } = source;
  const remark = [parts.remark, dropped && describeDropped(dropped)].filter((some) => some !== undefined).join("; ");
  const pinned = { ...(classes && { classes }), ...(splitSeed !== undefined && { splitSeed }) };
  return { name, metric, loss, ...pinned, data: source, ...parts, ...(remark !== "" && { remark }) };
}

interface Drawn extends Parts {
  readonly definition: TaskDefinition;
  readonly data: DataSource;
  readonly pool?: readonly Example[];
}

/** The definition with what the rows of its training file decide. */
function settle(asked: TaskDefinition, { name, rows }: Rows): TaskDefinition {
  if (!asked.settle) return asked;
  try {
    return findTask(asked.settle(rows.map(({ fields }) => fields)));
  } catch (error) {
    throw error instanceof KitError ? new KitError(`${name}: ${error.message}`) : error;
  }
}

async function drawFromFolder(asked: TaskDefinition, folder: string, settings: Settings): Promise<Drawn> {
  const { split = "paper", sizes, k, seed, dialect } = settings;
  const shots = k === undefined ? undefined : join(folder, `${k}-${seed}`);
  if (shots !== undefined && statSync(shots, { throwIfNoEntry: false })?.isDirectory())
    return limitTest(sizes.test, await drawFromFolder(asked, shots, { sizes, seed, dialect, split: "files" }));
  const part = async (names: readonly string[], wanted: string, suits?: (rows: Rows) => boolean): Promise<Rows> => {
    const rows = await readPart(folder, names, dialect, suits);
    if (rows) return rows;
    throw missingPart(folder, wanted);
  };
  const train = await part(["train"], "train.*");
  const definition = settle(asked, train);
  const labelled = (rows: Rows): boolean => hasLabels(definition, rows);
  if (split === "files") {
    const test = await part(["test"], "test.*", labelled);
    const dev = await part(DEV_PARTS, "dev.*, val.* or validation.*", labelled);
    const { pools, ...drawn } = makePools(definition, [train, dev, test]);
    return { ...drawn, train: pools[0]!, dev: pools[1]!, test: pools[2]! };
  }
  const test = await part(["test", ...DEV_PARTS], "test.*, dev.*, val.* or validation.*", labelled);
  const { pools, ...drawn } = makePools(definition, [train, test]);
  const from: Pools = { train: pools[0]!, test: pools[1]!, name: train.name };
  if (k !== undefined) return { ...drawn, ...splitKShot(from, k, sizes.test, seed) };
  return { ...drawn, ...(split === "paper" ? splitAsPaper : splitProportionally)(from, sizes, seed), pool: from.train };
}

/** The examples of each file, and the rows that were left out of all. */
function makePools(
  definition: TaskDefinition,
  files: readonly Rows[],
): Pick<Drawn, "data" | "definition"> & { readonly pools: readonly (readonly Example[])[] } {
  const found = files.map((rows) => makeExamples(definition, rows));
  const unlabelled = found.reduce((sum, file) => sum + file.unlabelled, 0);
  const rows = found.reduce((sum, { examples }) => sum + examples.length, unlabelled);
  const dropped = listDropped({ repeated: 0, contradicting: 0, unlabelled });
  return {
    definition,
    data: { ...describeFiles(files), rows, ...dropped },
    pools: found.map(({ examples }) => examples),
  };
}

/** A K-shot folder's parts, of a longer test file the rows that the authors drew. */
function limitTest(most: number, parts: Drawn): Drawn {
  return { ...parts, test: drawTest(parts.test, most) };
}

function drawFromOne(asked: TaskDefinition, rows: Rows, { split, sizes, k, seed }: Settings): Drawn {
  if (split !== undefined)
    throw new KitError(
      `${rows.name} is one set of rows, which has no split "${split}": leave out split, or name a data folder.`,
    );
  const definition = settle(asked, rows);
  const { examples, unlabelled } = makeExamples(definition, rows);
  const { examples: pool, ...twice } = deduplicate(examples);
  const parts =
    k === undefined
      ? splitInThree(pool, rows.name, sizes, seed)
      : splitKShot({ train: pool, test: [], name: rows.name }, k, sizes.test, seed);
  const dropped = listDropped({ ...twice, unlabelled });
  return { definition, data: { ...describeFiles([rows]), rows: examples.length + unlabelled, ...dropped }, ...parts };
}

async function readTaskRows(definition: TaskDefinition, data: string | undefined, dialect: Dialect): Promise<Rows> {
  if (data !== undefined && data !== "samples") return readRows(data, dialect);
  return data === undefined && definition.defaultRows ? definition.defaultRows() : readSamples(definition);
}

function checkOptions(options: LoadTaskOptions): void {
  const unknown = Object.keys(options).filter((key) => !KEYS.includes(key));
  if (unknown.length > 0)
    throw new KitError(`Loading a task has no option ${unknown.join(", ")}: it has ${KEYS.join(", ")}.`);
  const { k, split, quoting } = options;
  if (quoting !== undefined && !QUOTINGS.includes(quoting))
    throw new KitError(`There is no quoting ${showValue(quoting)}: choose one of ${QUOTINGS.join(", ")}.`);
  if (split !== undefined && !SPLITS.includes(split))
    throw new KitError(`There is no split "${split}": choose one of ${SPLITS.join(", ")}.`);
  const clashing = (["train", "dev", "split"] as const).filter((key) => options[key] !== undefined);
  if (k !== undefined && clashing.length > 0)
    throw new KitError(`The option k decides train and dev, so ${clashing.join(", ")} cannot be given beside it.`);
  const sized = (["train", "dev", "test"] as const).filter((key) => options[key] !== undefined);
  if (split === "files" && sized.length > 0)
    throw new KitError(
      `The split "files" takes all rows of the files, so ${sized.join(", ")} cannot be given beside it.`,
    );
}

/** The path of the data that were asked for, or what else names them; those on the hub are downloaded. */
async function findData({ data, revision, token, onProgress }: LoadTaskOptions): Promise<string | undefined> {
  if (data !== undefined && isOnHub(data))
    return resolveData(data, { revision, token, onProgress: downloadProgress(onProgress) });
  if (revision === undefined) return data;
  throw new KitError(
    `The data ${data ?? "of the kit"} have no revision ${revision}: leave it out, or name a data set on the hub, such as hf:stanfordnlp/sst2.`,
  );
}

function isFolder(data: string | undefined): boolean {
  if (data === undefined || data === "samples") return false;
  const found = statSync(data, { throwIfNoEntry: false });
  if (!found) throw new KitError(`There is no data folder or file ${data}; check its path${adviseHub(data)}.`);
  return found.isDirectory();
}

/** Two names with a slash between them may be of a data set on the hub. */
const adviseHub = (path: string): string =>
  /^\w[\w-]*\/\w[\w-]*$/.test(path) ? `, or give hf:${path} for a data set on the hub` : "";

function describeFiles(files: readonly Rows[]): Pick<DataSource, "files" | "revision" | "sha256"> {
  const revision = parseCachedPath(files[0]!.name)?.commit;
  return {
    files: files.map(({ name }) => shortName(name)),
    ...(revision !== undefined && { revision }),
    sha256: jointSha256(files).slice(0, 12),
  };
}

/** A file's name with its folder's, or its name on the hub, so that no path of one machine gets into a run. */
function shortName(name: string): string {
  const { id, inside } = parseCachedPath(name) ?? {};
  return inside === undefined ? posix.join(basename(dirname(name)), basename(name)) : `hf:${id}/${inside}`;
}
