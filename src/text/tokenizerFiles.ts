import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isObject, readObject } from "../checkpoints/json.ts";
import { KitError, shown } from "../error.ts";
import { notComputed } from "./split.ts";
import { mergesOf, readMerges, readVocabulary, type Vocabulary } from "./vocabulary.ts";

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

/** The kinds of models, and the settings of each that would change ids and are not computed. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  BPE: ["dropout", "continuing_subword_prefix"],
  Unigram: ["byte_fallback"],
  WordPiece: [],
  WordLevel: [],
};

/** The model of tokenizer.json, with a vocabulary and merges that are sound. Throws a KitError for what is damaged, and for what is not computed. */
export function readModel({ path, mergesPath, json }: TokenizerFiles): {
  readonly model: Json;
  readonly vocabulary: Vocabulary;
} {
  const model = isObject(json.model) ? json.model : {};
  const vocabulary = readVocabulary(path, vocabOf(path, model));
  const kind = kindOf(model);
  const { unk_token: unknown } = model;
  if (typeof unknown === "string" && !vocabulary.has(unknown))
    throw new KitError(
      `Reading ${path}: its unk_token ${shown(unknown)} is no token; get the file again from where the model came from.`,
    );
  const merges = kind === "BPE" && { merges: readMerges(mergesPath, model.merges, vocabulary) };
  return { model: { ...model, type: kind, ...merges }, vocabulary };
}

/** The model's type, which older files leave out. */
function kindOf(model: Json): string {
  const { type = Array.isArray(model.vocab) ? "Unigram" : model.merges ? "BPE" : "WordPiece" } = model;
  if (typeof type !== "string" || !Object.hasOwn(REFUSED, type))
    throw notComputed(`a model of type ${shown(type)}`, `it knows ${Object.keys(REFUSED).join(", ")}`);
  const asked = REFUSED[type]!.find((setting) => model[setting]);
  if (asked) throw notComputed(`the setting ${asked} in its ${type} model`, "it knows models without");
  return type;
}

/** Ids by token; a Unigram model has a list of tokens with their scores, in the ids' order. */
function vocabOf(path: string, { vocab }: Json): object {
  if (Array.isArray(vocab) && vocab.every((entry) => Array.isArray(entry) && typeof entry[0] === "string"))
    return Object.fromEntries(vocab.map(([token], id) => [token, id]));
  if (isObject(vocab)) return vocab;
  throw new KitError(
    `Reading ${path}: it must be a tokenizer, but has no vocabulary; get the file again from where the model came from.`,
  );
}
