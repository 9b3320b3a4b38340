import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { KitError } from "../error.ts";
import { byteLevelTokenizer, correctWhiteSpace, type SplitStep } from "./byteLevel.ts";
import { rememberParagraphs } from "./paragraphs.ts";

/** A text encoder: strings to token ids and back. */
export interface Tokenizer {
  /** The ids of a text, without begin or end tokens. */
  encode(text: string): number[];
  /** The text of ids, leaving out special tokens and ids that the vocabulary does not have. */
  decode(ids: readonly number[]): string;
  /** The id of a token as the vocabulary spells it (GPT-2's "Ġ" for a leading space). */
  id(token: string): number | undefined;
  /** The largest id plus one. */
  readonly size: number;
}

/** Loads the tokenizer of a model folder: tokenizer.json, or GPT-2's vocab.json and merges.txt; throws a KitError without them. */
export function loadTokenizer(folder: string): Tokenizer {
  const json = join(folder, "tokenizer.json");
  if (existsSync(json)) return makeTokenizer(json, readJson(json));
  const vocab = join(folder, "vocab.json");
  const merges = join(folder, "merges.txt");
  if (existsSync(vocab) && existsSync(merges)) {
    return makeTokenizer(vocab, byteLevelTokenizer(readVocab(vocab), readFileSync(merges, "utf8")));
  }
  throw new KitError(
    `Reading the model folder ${folder}: no tokenizer there; add its tokenizer.json, or vocab.json and merges.txt, to the folder.`,
  );
}

/** The part of the library that is used; its own declarations do not resolve under Node's module rules. */
interface JsonTokenizer {
  readonly pre_tokenizer: SplitStep | null;
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  decode(
    ids: readonly number[],
    options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean },
  ): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
  get_vocab(): Map<string, number>;
}

/** What tokenizer.json says about how text is split. */
interface TokenizerJson {
  readonly normalizer?: unknown;
  readonly pre_tokenizer?: { readonly type: string; readonly use_regex?: boolean; readonly add_prefix_space?: boolean };
  readonly added_tokens?: readonly { readonly content: string; readonly lstrip?: boolean; readonly rstrip?: boolean }[];
}

function makeTokenizer(path: string, json: object): Tokenizer {
  const inner = construct(path, json);
  correctWhiteSpace(inner.pre_tokenizer);
  return {
    encode: makeEncode(inner, json),
    decode: (ids) => decode(inner, ids),
    id: (token) => inner.token_to_id(token),
    size: largest(inner.get_vocab().values()) + 1,
  };
}

function construct(path: string, json: object): JsonTokenizer {
  try {
    return new LibraryTokenizer(json, {}) as JsonTokenizer;
  } catch (error) {
    throw new KitError(`Reading ${path}: ${(error as Error).message}; it must be a tokenizer, so download it again.`);
  }
}

function makeEncode(inner: JsonTokenizer, json: TokenizerJson): (text: string) => number[] {
  const encode = (text: string) => inner.encode(text, { add_special_tokens: false }).ids;
  const { type, use_regex = true, add_prefix_space = false } = json.pre_tokenizer ?? {};
  const splitsLines = type === "ByteLevel" && use_regex && !add_prefix_space && !json.normalizer;
  if (!splitsLines) return encode;
  const swallowing = (json.added_tokens ?? []).filter((token) => token.lstrip || token.rstrip);
  return rememberParagraphs(
    encode,
    swallowing.map((token) => token.content),
  );
}

function decode(inner: JsonTokenizer, ids: readonly number[]): string {
  const known = ids.filter((id) => inner.id_to_token(id) !== undefined);
  if (known.length === 0) return "";
  return inner.decode(known, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
}

function largest(numbers: Iterable<number>): number {
  let result = -1;
  for (const number of numbers) result = Math.max(result, number);
  return result;
}

function readVocab(path: string): Record<string, number> {
  const ids = Object.entries(readJson(path));
  const wrong = ids.find(([, id]) => !Number.isSafeInteger(id) || id < 0);
  if (wrong) throw new KitError(`Reading ${path}: "${wrong[0]}" has no whole number as its id; download it again.`);
  return Object.fromEntries(ids);
}

function readJson(path: string): object {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new KitError(`Reading ${path}: ${(error as Error).message}; it must be JSON, so download it again.`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new KitError(`Reading ${path}: it is not a JSON object; download it again.`);
  }
  return value;
}
