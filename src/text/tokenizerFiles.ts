import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readObject } from "../checkpoints/json.ts";
import { KitError } from "../error.ts";
import { mergesOf } from "./vocabulary.ts";

/** An object that a JSON file holds. */
export type Json = Readonly<Record<string, unknown>>;

/** What a model folder's files say of its tokenizer: tokenizer.json or what it would hold, what its file is called, and what stands beside it. */
export interface TokenizerFiles {
  readonly path: string;
  /** The file that holds its merges. */
  readonly mergesPath: string;
  readonly json: Json;
  /** Whether the tokenizer is GPT-2's two files, which name no special tokens. */
  readonly plain: boolean;
  /** tokenizer_config.json, special_tokens_map.json and added_tokens.json; empty where absent. */
  readonly config: Json;
  readonly specialTokens: Json;
  readonly addedTokens: Json;
}

/** Reads tokenizer.json, or GPT-2's vocab.json and merges.txt, and what stands beside them. Throws a KitError without a tokenizer, and for files that are no JSON objects. */
export function readTokenizerFiles(folder: string): TokenizerFiles {
  const at = (name: string): string => join(folder, name);
  const optional = (name: string): Json => (existsSync(at(name)) ? readObject(at(name)) : {});
  const beside = {
    config: optional("tokenizer_config.json"),
    specialTokens: optional("special_tokens_map.json"),
    addedTokens: optional("added_tokens.json"),
  };
  const [whole, vocab, merges] = [at("tokenizer.json"), at("vocab.json"), at("merges.txt")];
  if (existsSync(whole)) return { path: whole, mergesPath: whole, json: readObject(whole), plain: false, ...beside };
  if (existsSync(vocab) && existsSync(merges))
    return { path: vocab, mergesPath: merges, json: gpt2(vocab, merges), plain: true, ...beside };
  throw new KitError(
    `Reading the model folder ${folder}: no tokenizer there; add its tokenizer.json, or vocab.json and merges.txt, to the folder.`,
  );
}

/** What GPT-2's two files stand for: ids by token, and one merge a line. */
function gpt2(vocab: string, merges: string): Json {
  return {
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    decoder: { type: "ByteLevel" },
    model: { type: "BPE", vocab: readObject(vocab), merges: mergesOf(readFileSync(merges, "utf8")) },
  };
}
