import { KitError, showValue } from "../../error.ts";
import type { StoredTensor } from "../safetensors.ts";
import { type Architecture, type Config, fieldsOf } from "./architecture.ts";
import { llama, qwen2, qwen3 } from "./decoder.ts";
import { gpt2 } from "./gpt2.ts";
import type { GgufFile } from "./header.ts";
import { storedTensor } from "./tensors.ts";

/** The architectures that are read, by the names that GGUF has for them; a Mistral is a "llama" there. Adding one adds a line. */
const ARCHITECTURES: Readonly<Record<string, Architecture>> = { llama, qwen2, qwen3, gpt2 };

function findArchitecture({ path, metadata }: GgufFile): [string, Architecture] {
  const name = metadata["general.architecture"];
  if (typeof name === "string" && Object.hasOwn(ARCHITECTURES, name)) return [name, ARCHITECTURES[name]!];
  throw new KitError(
    `Reading ${path}: its architecture is ${showValue(name)}, and of GGUF the kit reads ${Object.keys(ARCHITECTURES).join(", ")}; take another model, or its files in Hugging Face layout.`,
  );
}

/** The config.json that a GGUF file's metadata stand for. Throws a KitError for what they lack, and for what is not built. */
export function makeConfig(file: GgufFile): Config {
  const [name, { architectures, model_type, config }] = findArchitecture(file);
  return {
    ...{ architectures, model_type },
    ...config(file, fieldsOf(file, name)),
    vocab_size: file.tensors.get("token_embd.weight")?.shape[0],
    tie_word_embeddings: !file.tensors.has("output.weight"),
    ...specialIds(file),
  };
}

/** Ids of the begin and end tokens; a model of conversations may have further ones that end a turn. */
function specialIds({ metadata }: GgufFile): Config {
  const id = (name: string): unknown => metadata[`tokenizer.ggml.${name}_token_id`];
  const ends = [...new Set([id("eos"), id("eot"), id("eom")])].filter((end) => end !== undefined);
  return {
    bos_token_id: id("bos") ?? null,
    ...(ends.length > 0 && { eos_token_id: ends.length === 1 ? ends[0] : ends }),
    ...(id("padding") !== undefined && { pad_token_id: id("padding") }),
  };
}

/** The tensors of a GGUF file by a checkpoint's names, their values as there; others stay under their own. */
export function nameTensors(file: GgufFile, config: Config): Map<string, StoredTensor> {
  const [, { outside, inside, layers, unused = [], arrange }] = findArchitecture(file);
  const found = [...file.tensors.values()].filter(({ name }) => !unused.includes(name));
  const entries = found.map((tensor): [string, StoredTensor] => {
    const stored = storedTensor(file.path, tensor);
    const [, layer, module = "", what] = /^(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)$/.exec(tensor.name) ?? [];
    const names = layer === undefined ? outside : inside;
    if (!Object.hasOwn(names, module)) return [tensor.name, stored];
    if (layer === undefined) return [`${names[module]}.${what}`, stored];
    return [`${layers}.${layer}.${names[module]}.${what}`, arrange?.(module, stored, config) ?? stored];
  });
  return new Map(entries);
}
