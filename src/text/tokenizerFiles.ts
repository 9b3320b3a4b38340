import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isObject, readObject } from "../checkpoints/json.ts";
import { KitError, showValue } from "../error.ts";
import type { Vocabulary } from "./encode.ts";
import { notComputed } from "./pipeline.ts";

/** An object that a JSON file holds. */
export type Json = Readonly<Record<string, unknown>>;

/** A model folder's tokenizer files: tokenizer.json or its equivalent, its path, and the files beside it. */
export interface TokenizerFiles {
  readonly path: string;
  /** The file with the merges. */
  readonly mergesPath: string;
  readonly json: Json;
  /** The special tokens of the models that such files usually belong to, for files that name none. */
  readonly usual: readonly string[];
  /** tokenizer_config.json, special_tokens_map.json and added_tokens.json; empty where missing. */
  readonly config: Json;
  readonly specialTokens: Json;
  readonly addedTokens: Json;
  /** The text of chat_template.jinja, where there is one. */
  readonly chatTemplate?: string;
}

type Paths = [whole: string, vocab: string, merges: string, words: string];

/** The special tokens of RoBERTa and OPT, and those of BERT. */
const USUAL = {
  gpt2: ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
  bert: ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"],
} as const;

/** Reads tokenizer.json, or GPT-2's vocab.json and merges.txt, or BERT's vocab.txt, and the files beside them. Throws a KitError where there is no tokenizer, and for files that are not JSON objects. */
export function readTokenizerFiles(folder: string): TokenizerFiles {
  const at = (name: string): string => join(folder, name);
  const optional = (name: string): Json => (existsSync(at(name)) ? readObject(at(name)) : {});
  const template = at("chat_template.jinja");
  const beside = {
    ...(existsSync(template) && { chatTemplate: readFileSync(template, "utf8") }),
    config: optional("tokenizer_config.json"),
    specialTokens: optional("special_tokens_map.json"),
    addedTokens: optional("added_tokens.json"),
  };
  const [whole, vocab, merges, words] = ["tokenizer.json", "vocab.json", "merges.txt", "vocab.txt"].map(at) as Paths;
  if (existsSync(whole)) return { path: whole, mergesPath: whole, json: readObject(whole), usual: [], ...beside };
  if (existsSync(vocab) && existsSync(merges))
    return { path: vocab, mergesPath: merges, json: readGpt2(vocab, merges), usual: USUAL.gpt2, ...beside };
  if (existsSync(words))
    return { path: words, mergesPath: words, json: readBert(words, beside.config), usual: USUAL.bert, ...beside };
  throw new KitError(
    `Reading the model folder ${folder}: no tokenizer there; add its tokenizer.json, or vocab.json and merges.txt, or vocab.txt, to the folder.`,
  );
}

/** A tokenizer's files whose contents are at hand, by their names; `path` is where they come from. */
export function givenTokenizerFiles(path: string, given: Readonly<Record<string, Json>>): TokenizerFiles {
  const { "tokenizer.json": json = {}, "tokenizer_config.json": config = {} } = given;
  return { path, mergesPath: path, json, usual: [], config, specialTokens: {}, addedTokens: {} };
}

/** GPT-2's two files, ids by token and one merge per line, in the form of tokenizer.json. */
function readGpt2(vocab: string, merges: string): Json {
  return {
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    decoder: { type: "ByteLevel" },
    model: { type: "BPE", vocab: readObject(vocab), merges: splitMerges(readFileSync(merges, "utf8")) },
  };
}

/** BERT's file, a token a line, in the form of tokenizer.json. */
function readBert(path: string, config: Json): Json {
  const named = (name: string, usual: string): string => {
    const token = isObject(config[name]) ? config[name].content : config[name];
    return typeof token === "string" ? token : usual;
  };
  const [begin, separator] = [named("cls_token", "[CLS]"), named("sep_token", "[SEP]")];
  const tokens = readFileSync(path, "utf8").replace(/\r\n?/g, "\n").replace(/\n$/, "").split("\n");
  return {
    normalizer: { type: "BertNormalizer" },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: { type: "BertProcessing", cls: [begin], sep: [separator] },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      ...{ type: "WordPiece", unk_token: named("unk_token", "[UNK]"), continuing_subword_prefix: "##" },
      ...{ max_input_chars_per_word: 100, vocab: Object.fromEntries(tokens.map((token, id) => [token, id])) },
    },
  };
}

/** The kinds of models, each with the settings that would change ids and that the kit does not compute. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  BPE: ["dropout", "continuing_subword_prefix"],
  Unigram: ["byte_fallback"],
  WordPiece: [],
  WordLevel: [],
};

/** Reads and checks the model of tokenizer.json, its vocabulary and merges. Throws a KitError for a damaged one, and for one that the kit does not compute. */
export function readModel({ path, mergesPath, json }: TokenizerFiles): {
  readonly model: Json;
  readonly vocabulary: Vocabulary;
} {
  const model = isObject(json.model) ? json.model : {};
  const vocabulary = readVocabulary(path, readVocab(path, model));
  const kind = readKind(model);
  const { unk_token: unknown } = model;
  if (typeof unknown === "string" && !vocabulary.has(unknown))
    throw new KitError(
      `Reading ${path}: its unk_token ${showValue(unknown)} is not in the vocabulary; get the file again from where the model came from.`,
    );
  const merges = kind === "BPE" && { merges: readMerges(mergesPath, model.merges, vocabulary) };
  return { model: { ...model, type: kind, ...merges }, vocabulary };
}

/** The model's type, which older files omit. */
function readKind(model: Json): string {
  const { type = Array.isArray(model.vocab) ? "Unigram" : model.merges ? "BPE" : "WordPiece" } = model;
  if (typeof type !== "string" || !Object.hasOwn(REFUSED, type))
    throw notComputed(`a model of type ${showValue(type)}`, `it knows ${Object.keys(REFUSED).join(", ")}`);
  const asked = REFUSED[type]!.find((setting) => model[setting]);
  if (asked) throw notComputed(`the setting ${asked} in its ${type} model`, "it knows models without");
  return type;
}

/** Ids by token; a Unigram model has a list of tokens with their scores, in the ids' order. */
function readVocab(path: string, { vocab }: Json): object {
  if (Array.isArray(vocab) && vocab.every((entry) => Array.isArray(entry) && typeof entry[0] === "string"))
    return Object.fromEntries(vocab.map(([token], id) => [token, id]));
  if (isObject(vocab)) return vocab;
  throw new KitError(
    `Reading ${path}: it must be a tokenizer, but has no vocabulary; get the file again from where the model came from.`,
  );
}

/** More ids than this per token are taken for damage. */
const IDS_PER_TOKEN = 16;
const SPARE_IDS = 100_000;

/** The vocabulary of a JSON object. Throws a KitError, which names the file and the token, for ids that are invalid, too large or used twice. */
function readVocabulary(path: string, found: object): Vocabulary {
  const vocabulary = new Map(Object.entries(found));
  const most = IDS_PER_TOKEN * vocabulary.size + SPARE_IDS;
  const owners = new Map<number, string>();
  for (const [token, id] of vocabulary) {
    const named = `Reading ${path}: the token ${showValue(token)} has the id ${showValue(id)}`;
    const other = owners.get(id);
    if (!Number.isSafeInteger(id) || id < 0)
      throw new KitError(`${named}, which is not a whole number of at least 0; ${AGAIN}.`);
    if (id > most) throw new KitError(`${named}, far more than its ${vocabulary.size} tokens need; ${AGAIN}.`);
    if (other !== undefined) throw new KitError(`${named}, which ${showValue(other)} has too; ${AGAIN}.`);
    owners.set(id, token);
  }
  return vocabulary;
}

const AGAIN = "get the file again from where the model came from";

/** The lines of a merges.txt, without a version in its first line. */
function splitMerges(text: string): string[] {
  const lines = text.split(/\r?\n/);
  return (lines[0]!.startsWith("#version") ? lines.slice(1) : lines).filter((line) => line !== "");
}

/** The merges of byte-pair encoding as pairs, each given as a pair or as a text with a space. Throws a KitError for an invalid one, and for one that makes no token. */
function readMerges(path: string, found: unknown, vocabulary: Vocabulary): (readonly [string, string])[] {
  const merges: readonly unknown[] = Array.isArray(found) ? found : [undefined];
  return merges.map((merge, i) => {
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    const named = `Reading ${path}: its merge ${i + 1} is ${showValue(merge)}`;
    if (!isPair(pair)) throw new KitError(`${named} instead of two tokens; ${AGAIN}.`);
    const absent = [...pair, pair[0] + pair[1]].find((token) => !vocabulary.has(token));
    if (absent !== undefined)
      throw new KitError(`${named}, but ${showValue(absent)} is not in the vocabulary; ${AGAIN}.`);
    return pair;
  });
}

const isPair = (value: unknown): value is [string, string] =>
  Array.isArray(value) && value.length === 2 && value.every((token) => typeof token === "string" && token !== "");
