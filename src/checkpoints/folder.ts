import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { KitError } from "../error.ts";
import { readObject } from "./json.ts";
import { CONFIG, isWeightFile, WEIGHTS } from "./modelFiles.ts";
import { openShards, openWeights, type Weights } from "./weightFiles.ts";

/** A model in Hugging Face layout, in a folder or in one file that stands for it: its configuration, and its tensors by name. No weight has been read. */
export interface Checkpoint extends Weights {
  readonly folder: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Reads the JSON files of a model folder, config.json among them, where the weights' own file stands for them. */
  readonly companions?: () => Promise<Companions>;
}

/** Contents of a model folder's JSON files, by their names. */
export type Companions = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/**
 * Opens a checkpoint: of a folder its config.json and the first of model.safetensors, model.safetensors.index.json, pytorch_model.bin and
 * pytorch_model.bin.index.json, of which the indices name further files; of a weight file itself, with the config.json beside it.
 * Throws a KitError for whatever is missing, unreadable or inconsistent.
 */
export function openCheckpoint(place: string): Checkpoint {
  const isFolder = existsSync(place) && statSync(place).isDirectory();
  if (!isFolder && existsSync(place) && isWeightFile(place)) return openFile(place);
  if (!isFolder)
    throw new KitError(
      `Reading the model folder ${place}: no such folder; give a folder in Hugging Face layout, its file of weights, or a hub id.`,
    );
  const config = readConfig(place);
  const weights = WEIGHTS.find(({ main }) => existsSync(join(place, main)));
  if (weights) return { folder: place, config, ...openNamed(join(place, weights.main)) };
  throw new KitError(
    `Reading the model folder ${place}: no model.safetensors or pytorch_model.bin there; ${adviseOnWeights(place)}.`,
  );
}

function openFile(path: string): Checkpoint {
  const folder = dirname(path);
  return { folder, config: readConfig(folder), tensors: openWeights(path), files: [path] };
}

function openNamed(path: string): Weights {
  return path.endsWith(".json") ? openShards(path) : { tensors: openWeights(path), files: [path] };
}

function readConfig(folder: string): Checkpoint["config"] {
  if (existsSync(join(folder, CONFIG))) return readObject(join(folder, CONFIG));
  throw new KitError(
    `Reading the model folder ${folder}: no ${CONFIG} there; give a folder in Hugging Face layout or a hub id.`,
  );
}

function adviseOnWeights(folder: string): string {
  const other = readdirSync(folder).find(isWeightFile);
  return other
    ? `only ${other}, so give that file by its path if it holds the weights`
    : "give a folder that holds the weights";
}

/** The first 16 hexadecimal digits of the SHA-256 of the files' contents, one after the other in the given order. */
export function hashFiles(paths: readonly string[]): string {
  const hash = createHash("sha256");
  const chunk = new Uint8Array(1 << 20);
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
