import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { chooseRevision, parseHubName } from "../../checkpoints/hub/cache.ts";
import type { Listing, Snapshot, Wanted } from "../../checkpoints/hub/listing.ts";
import { HubFault } from "../../checkpoints/hub/request.ts";
import { findOnHub, type HubOptions } from "../../checkpoints/hub/search.ts";
import { KitError, listNames } from "../../error.ts";
import { isWhole, type PartFile, parsePart } from "./folder.ts";

const PREFIX = "hf:";

/** Whether data are named by their place on the hub, as in "hf:stanfordnlp/sst2". */
export const isOnHub = (data: string): boolean => data.startsWith(PREFIX);

/** The branch in which the hub keeps Parquet files of its own making, of every data set that it can read. */
const CONVERTED = "refs/convert/parquet";

/** A data set on the hub: the revisions that it is taken from, and which of its configurations. */
interface Asked {
  readonly id: string;
  readonly revisions: readonly string[];
  readonly config: string | undefined;
}

/**
 * The local path of a data set on the hub, "hf:owner/name", "hf:owner/name/configuration" or either with "@revision": the folder of its
 * train, validation and test files, or its file where it is one. It is looked up in the Hugging Face cache, and downloaded where it is
 * missing: from the main branch, or else the hub's Parquet branch. Throws a KitError where this does not work.
 */
export async function resolveData(data: string, options: HubOptions): Promise<string> {
  const name = data.slice(PREFIX.length);
  const parsed = parseHubName(name);
  if (!parsed)
    throw new KitError(
      `Looking for the data set ${data}: that is no name on the hub; give one such as hf:stanfordnlp/sst2, or with a configuration hf:nyu-mll/glue/sst2.`,
    );
  const { id, inside: config } = parsed;
  const revision = chooseRevision(name, parsed, options.revision);
  const asked: Asked = { id, config, revisions: revision === undefined ? ["main", CONVERTED] : [revision] };
  const find = (folder: string): string | undefined => {
    const found = findConfig(listConfigs(listFiles(folder)), config);
    return found && join(folder, found.path);
  };
  const choose = (list: Listing): Promise<Wanted> => chooseFiles(list, asked);
  return findOnHub({ type: "dataset", id, revision, usual: asked.revisions, find, choose }, options);
}

function listFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names.filter((name) => existsSync(join(folder, name))).map((name) => name.replaceAll("\\", "/"));
}

/** A configuration of a data set: rows of one kind. */
interface Config {
  /** Its folder, or its only file. */
  readonly path: string;
  readonly files: readonly PartFile[];
}

/** A file that holds rows, whatever its name. */
const TABLE = /\.(parquet|jsonl|csv|tsv)(\.gz)?$/i;

/** The configurations among a repository's files, by their folders: those that have all of a train part. */
function listConfigs(paths: readonly string[]): ReadonlyMap<string, Config> {
  const parts = paths.flatMap((path) => parsePart(path) ?? []);
  const folders = [...new Set(parts.map(({ folder }) => folder))].sort();
  const configs = folders.map((folder): Config => {
    const files = parts.filter((part) => part.folder === folder);
    return { path: files.length === 1 ? files[0]!.path : folder, files };
  });
  const whole = configs.filter(({ files }) => isWhole(files.filter(({ part }) => part === "train")));
  if (whole.length > 0) return new Map(whole.map((config) => [config.files[0]!.folder, config]));
  const [path, ...others] = paths.filter((each) => TABLE.test(each));
  const single = path !== undefined && others.length === 0 && parts.length === 0;
  return new Map(single ? [["", { path, files: [{ path, folder: "", part: "train" }] }]] : []);
}

/** Folders that name no configuration. */
const UNNAMED = ["", "data", "default"];

function findConfig(configs: ReadonlyMap<string, Config>, config: string | undefined): Config | undefined {
  const folders = config === undefined ? UNNAMED : [config, `data/${config}`];
  return folders.map((folder) => configs.get(folder)).find((found) => found !== undefined);
}

/** The files that are to be downloaded. Throws a KitError where the data set has none that the kit reads, or several configurations. */
async function chooseFiles(list: Listing, asked: Asked): Promise<Wanted> {
  const names = new Set<string>();
  for (const revision of asked.revisions) {
    const snapshot = await listIfThere(list, revision);
    const configs = listConfigs(snapshot?.files.map(({ path }) => path) ?? []);
    const only = asked.config === undefined && configs.size === 1 ? [...configs.values()][0] : undefined;
    const found = findConfig(configs, asked.config) ?? only;
    if (snapshot && found) return { ...snapshot, files: trainLast(snapshot, found), path: found.path };
    for (const name of configs.keys()) names.add(name);
  }
  throw explain(asked, [...names]);
}

/** A data set need not have the hub's own branch. */
async function listIfThere(list: Listing, revision: string): Promise<Snapshot | undefined> {
  try {
    return await list(revision);
  } catch (error) {
    if (revision === CONVERTED && error instanceof HubFault && error.facts.status === 404) return undefined;
    throw error;
  }
}

/** The train part's first file comes last, so that a cache which holds all of train holds the other parts too. */
function trainLast({ files }: Snapshot, config: Config): Snapshot["files"] {
  const order = config.files
    .toSorted((a, b) => Number(a.part === "train") - Number(b.part === "train") || (a.path < b.path ? 1 : -1))
    .map(({ path }) => path);
  return order.map((path) => files.find((file) => file.path === path)!);
}

function explain({ id, revisions, config }: Asked, names: readonly string[]): KitError {
  const start = `Downloading the data set ${id} at revision ${revisions.join(" or ")}: the hub has`;
  const each = listNames(
    names.map((name) => PREFIX + [id, name].filter((part) => part !== "").join("/")),
    12,
  );
  if (names.length === 0)
    return new KitError(
      `${start} no train file of it that the kit reads (Parquet, JSON Lines, JSON, CSV or TSV); download the data set, and give a folder.`,
    );
  if (config !== undefined) return new KitError(`${start} no configuration ${config} of it; name one of ${each}.`);
  return new KitError(`${start} ${names.length} configurations of it; name one of ${each}.`);
}
