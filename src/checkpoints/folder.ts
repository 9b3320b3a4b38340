import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { KitError, listNames } from "../error.ts";
import { isObject, readObject } from "./json.ts";
import { listStored, type SafetensorsFile, type StoredTensor } from "./safetensors.ts";
import { openSafetensors } from "./safetensorsHeader.ts";

/** A model in Hugging Face layout, in a folder or in one file that stands for it: its configuration, and its tensors by name. No weight has been read. */
export interface Checkpoint {
  readonly folder: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Paths of the weight files, sorted by name. */
  readonly files: readonly string[];
  /** Reads the JSON files of a model folder, config.json among them, where the weights' own file stands for them. */
  readonly companions?: () => Promise<Companions>;
}

/** Contents of a model folder's JSON files, by their names. */
export type Companions = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

const WEIGHTS = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/**
 * Opens a checkpoint: config.json and model.safetensors, or the shards that model.safetensors.index.json names.
 * Throws a KitError for whatever is missing, unreadable or inconsistent.
 */
export function openCheckpoint(folder: string): Checkpoint {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new KitError(
      `Reading the model folder ${folder}: no such folder; give a folder in Hugging Face layout or a hub id.`,
    );
  }
  if (!existsSync(join(folder, "config.json"))) {
    throw new KitError(
      `Reading the model folder ${folder}: no config.json there; give a folder in Hugging Face layout or a hub id.`,
    );
  }
  const config = readObject(join(folder, "config.json"));
  if (existsSync(join(folder, WEIGHTS))) return { folder, config, ...openSingle(join(folder, WEIGHTS)) };
  if (existsSync(join(folder, INDEX))) return { folder, config, ...openShards(folder) };
  throw new KitError(`Reading the model folder ${folder}: no ${WEIGHTS} there; ${adviseOnWeights(folder)}.`);
}

type Weights = Pick<Checkpoint, "tensors" | "files">;

function openSingle(path: string): Weights {
  return { tensors: new Map(listStored(openSafetensors(path))), files: [path] };
}

function openShards(folder: string): Weights {
  const indexPath = join(folder, INDEX);
  const weightMap = readWeightMap(indexPath);
  const names = [...new Set(weightMap.values())].sort();
  const outside = names.filter((name) => name !== basename(name) || name.startsWith(".") || name === "");
  if (outside.length > 0) {
    throw new KitError(
      `Reading ${indexPath}: it names ${listNames(outside.map((name) => `"${name}"`))}, which cannot be files of its folder; download it again.`,
    );
  }
  const absent = names.filter((name) => !existsSync(join(folder, name)));
  if (absent.length > 0) {
    throw new KitError(`Reading ${indexPath}: its shards ${listNames(absent)} are missing; download them again.`);
  }
  const shards = new Map(names.map((name) => [name, openSafetensors(join(folder, name))]));
  const lacking = [...weightMap].filter(([tensor, shard]) => !shards.get(shard)!.tensors.has(tensor));
  if (lacking.length > 0) {
    const found = listNames(lacking.map(([tensor, shard]) => `${tensor} (${shard})`));
    throw new KitError(
      `Reading ${indexPath}: its shards do not hold the tensors that it names: ${found}; download them again.`,
    );
  }
  return { tensors: gatherTensors(weightMap, shards), files: names.map((name) => join(folder, name)) };
}

/** Tensors that the index does not name stay too: the model's loader decides about them. */
function gatherTensors(weightMap: ReadonlyMap<string, string>, shards: ReadonlyMap<string, SafetensorsFile>) {
  const stored = new Map([...shards].map(([name, shard]) => [name, new Map(listStored(shard))]));
  const tensors = new Map([...stored.values()].flatMap((shard) => [...shard]));
  for (const [tensor, shard] of weightMap) tensors.set(tensor, stored.get(shard)!.get(tensor)!);
  return tensors;
}

function readWeightMap(path: string): Map<string, string> {
  const { weight_map: weightMap } = readObject(path);
  const entries = isObject(weightMap) ? Object.entries(weightMap) : [];
  if (entries.length === 0 || entries.some(([, shard]) => typeof shard !== "string")) {
    throw new KitError(`Reading ${path}: it has no weight_map from tensors to files; download it again.`);
  }
  return new Map(entries as [string, string][]);
}

function adviseOnWeights(folder: string): string {
  const files = readdirSync(folder);
  const pickled = files.find((file) => /^pytorch_model.*\.bin$/.test(file));
  if (pickled) return `only ${pickled}, so convert it to safetensors (save_pretrained with safe_serialization=True)`;
  const other = files.find((file) => file.endsWith(".safetensors"));
  return other ? `only ${other}, so rename it if it holds the weights` : "give a folder that holds the weights";
}

/** The first 16 hexadecimal digits of the SHA-256 of the files' contents, one after the other in the given order. */
export function hashFiles(paths: readonly string[]): string {
  const hash = createHash("sha256");
  const chunk = new Uint8Array(4 << 20);
  for (const path of paths) {
    for (const length of readChunks(path, chunk)) hash.update(chunk.subarray(0, length));
  }
  return hash.digest("hex").slice(0, 16);
}

function* readChunks(path: string, chunk: Uint8Array): Generator<number> {
  let fd: number | undefined;
  try {
    fd = openSync(path, "r");
    for (let length = readSync(fd, chunk); length > 0; length = readSync(fd, chunk)) yield length;
  } catch (error) {
    throw new KitError(`Hashing ${path}: ${(error as Error).message}; check the path and its permissions.`);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
