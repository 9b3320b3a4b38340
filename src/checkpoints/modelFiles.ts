import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The configuration, which is read and checked before all other files. */
export const CONFIG = "config.json";

/** What lies beside a model's weights and configuration: its tokenizer, its chat template, and how it generates. */
export const COMPANIONS: readonly string[] = [
  ...["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"],
  ...["vocab.json", "merges.txt", "vocab.txt", "tokenizer.model"],
  ...["chat_template.jinja", "chat_template.json", "generation_config.json"],
];

/** A way in which a folder holds weights: a file, and those that belong to it. */
interface WeightFiles {
  readonly main: string;
  readonly shards?: RegExp;
}

/** The files that a folder's weights may be in; the first that is there is read. */
export const WEIGHTS: readonly WeightFiles[] = [
  { main: "model.safetensors" },
  { main: "model.safetensors.index.json", shards: /^model-\d+-of-\d+\.safetensors$/ },
  { main: "pytorch_model.bin" },
  { main: "pytorch_model.bin.index.json", shards: /^pytorch_model-\d+-of-\d+\.bin$/ },
];

/** Those of a repository's files that the kit needs of a model in Hugging Face layout; undefined where none of them has weights. */
export function chooseModelFiles(paths: readonly string[]): readonly string[] | undefined {
  const weights = WEIGHTS.find(({ main }) => paths.includes(main));
  if (!weights) return undefined;
  const wanted = [CONFIG, ...COMPANIONS, weights.main];
  return paths.filter((path) => wanted.includes(path) || weights.shards?.test(path));
}

/** Whether a file may be a model's weights by its name. */
export const isWeightFile = (path: string): boolean => /\.(gguf|safetensors|bin)$/i.test(path);

/** The files among these that hold a whole model each: its configuration, tokenizer and weights. */
export function listGguf(paths: readonly string[]): string[] {
  return paths.filter((path) => path.endsWith(".gguf")).sort();
}

/**
 * What a folder of the cache has of a model: the folder itself where it holds configuration, tokenizer and all weights, or the path of the
 * GGUF file that was asked for, or of the only one. Undefined where something is missing.
 */
export function findModelIn(folder: string, file: string | undefined): string | undefined {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  if (file !== undefined) return existsSync(join(folder, file)) ? join(folder, file) : undefined;
  if (isComplete(folder, names)) return folder;
  if (names.length === 0 || names.includes(CONFIG)) return undefined;
  const [only, ...others] = listGguf(readdirSync(folder, { recursive: true, encoding: "utf8" }));
  return only === undefined || others.length > 0 ? undefined : join(folder, only);
}

function isComplete(folder: string, names: readonly string[]): boolean {
  const has = (name: string): boolean => names.includes(name) && existsSync(join(folder, name)); // of a link, that its file is there
  const hasTokenizer =
    ["tokenizer.json", "vocab.txt", "tokenizer.model"].some(has) || (has("vocab.json") && has("merges.txt"));
  return has(CONFIG) && hasTokenizer && WEIGHTS.some((weights) => has(weights.main) && hasShards(folder, weights));
}

function hasShards(folder: string, { main, shards }: WeightFiles): boolean {
  if (!shards) return true;
  try {
    const index = JSON.parse(readFileSync(join(folder, main), "utf8"));
    const named = new Set(Object.values<string>(index.weight_map));
    return named.size > 0 && [...named].every((shard) => existsSync(join(folder, shard)));
  } catch {
    return false; // a missing or unreadable index is downloaded again
  }
}
