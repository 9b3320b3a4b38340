import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { KitError, listNames } from "../error.ts";
import { isObject, readObject } from "./json.ts";
import { listStored, type StoredTensor } from "./safetensors.ts";
import { openSafetensors } from "./safetensorsHeader.ts";
import { openTorch } from "./torch/file.ts";

/** What a weight file holds, by name. */
type Tensors = ReadonlyMap<string, StoredTensor>;

/** How weight files are opened, by the ends of their names; adding a format adds a line. */
const FORMATS: Readonly<Record<string, (path: string) => Tensors>> = {
  ".safetensors": (path) => new Map(listStored(openSafetensors(path))),
  ".bin": openTorch,
};

/** Opens a weight file of any format. Throws a KitError for a name that is none's, and what the format's own reader throws. */
export function openWeights(path: string): Tensors {
  const end = Object.keys(FORMATS).find((end) => path.endsWith(end));
  if (end) return FORMATS[end]!(path);
  throw new KitError(
    `Reading the weights ${path}: its name should end in ${Object.keys(FORMATS).join(" or ")}; give the file of weights, or its folder.`,
  );
}

/** Tensors by name, and the files that hold them, sorted by name. */
export interface Weights {
  readonly tensors: Tensors;
  readonly files: readonly string[];
}

/** Opens the files that an index names. Throws a KitError for what is missing, and where they do not hold what the index says. */
export function openShards(indexPath: string): Weights {
  const folder = dirname(indexPath);
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
  const shards = new Map(names.map((name) => [name, openWeights(join(folder, name))]));
  const lacking = [...weightMap].filter(([tensor, shard]) => !shards.get(shard)!.has(tensor));
  if (lacking.length > 0) {
    const found = listNames(lacking.map(([tensor, shard]) => `${tensor} (${shard})`));
    throw new KitError(
      `Reading ${indexPath}: its shards do not hold the tensors that it names: ${found}; download them again.`,
    );
  }
  return { tensors: gatherTensors(weightMap, shards), files: names.map((name) => join(folder, name)) };
}

/** Tensors that the index does not name stay too: the model's loader decides about them. */
function gatherTensors(weightMap: ReadonlyMap<string, string>, shards: ReadonlyMap<string, Tensors>): Tensors {
  const tensors = new Map([...shards.values()].flatMap((shard) => [...shard]));
  for (const [tensor, shard] of weightMap) tensors.set(tensor, shards.get(shard)!.get(tensor)!);
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
