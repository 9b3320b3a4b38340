import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isObject, readObject } from "../checkpoints/json.ts";
import { KitError, shown } from "../error.ts";
import type { Vocabulary } from "./encode.ts";
import { notComputed } from "./pipeline.ts";

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

/** Ids beyond this many for each token are taken for damage. */
const IDS_PER_TOKEN = 16;
const SPARE_IDS = 100_000;

/** The vocabulary that a JSON object holds. Throws a KitError, which names the file and the id, for ids that are none, too large or used twice. */
function readVocabulary(path: string, found: object): Vocabulary {
  const vocabulary = new Map(Object.entries(found));
  const most = IDS_PER_TOKEN * vocabulary.size + SPARE_IDS;
  const owners = new Map<number, string>();
  for (const [token, id] of vocabulary) {
    const named = `Reading ${path}: the token ${shown(token)} has the id ${shown(id)}`;
    const other = owners.get(id);
    if (!Number.isSafeInteger(id) || id < 0)
      throw new KitError(`${named}, which is no whole number from 0 on; ${AGAIN}.`);
    if (id > most) throw new KitError(`${named}, far more than its ${vocabulary.size} tokens need; ${AGAIN}.`);
    if (other !== undefined) throw new KitError(`${named}, which ${shown(other)} has too; ${AGAIN}.`);
    owners.set(id, token);
  }
  return vocabulary;
}

const AGAIN = "get the file again from where the model came from";

/** The lines of a merges.txt as pairs; its first may state a version. */
function mergesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  return (lines[0]!.startsWith("#version") ? lines.slice(1) : lines).filter((line) => line !== "");
}

/** The merges of byte-pair encoding as pairs, each given as one or as a text with a space. Throws a KitError for one that is none, or makes what is no token. */
function readMerges(path: string, found: unknown, vocabulary: Vocabulary): (readonly [string, string])[] {
  const merges: readonly unknown[] = Array.isArray(found) ? found : [undefined];
  return merges.map((merge, i) => {
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    const named = `Reading ${path}: its merge ${i + 1} is ${shown(merge)}`;
    if (!isPair(pair)) throw new KitError(`${named} instead of two tokens; ${AGAIN}.`);
    const absent = [...pair, pair[0] + pair[1]].find((token) => !vocabulary.has(token));
    if (absent !== undefined) throw new KitError(`${named}, but ${shown(absent)} is no token; ${AGAIN}.`);
    return pair;
  });
}

const isPair = (value: unknown): value is [string, string] =>
  Array.isArray(value) && value.length === 2 && value.every((token) => typeof token === "string" && token !== "");
