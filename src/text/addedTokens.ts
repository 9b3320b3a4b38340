import { isObject } from "../checkpoints/json.ts";
import { KitError, shown } from "../error.ts";
import type { Json, TokenizerFiles } from "./tokenizerFiles.ts";
import type { AddedToken, Vocabulary } from "./vocabulary.ts";

/** A part of a text: an added token's, with its id, or what stands between two. */
export interface Piece {
  readonly text: string;
  /** Where it begins in the text. */
  readonly start: number;
  readonly id?: number;
}

/** The word characters and the white space of the Rust library's patterns. */
const WORD = "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]";
const WORD_BEFORE = new RegExp(`(?<=${WORD})`, "uy");
const WORD_AFTER = new RegExp(WORD, "uy");
const SPACE_BEFORE = /(?<=(\p{White_Space}*))/uy;
const SPACE_AFTER = /\p{White_Space}*/uy;

/** Cuts texts at the tokens that stand in them: the first, and of several that begin there the longest. */
export function splitterAt(tokens: readonly AddedToken[]): (text: string) => readonly Piece[] {
  const byContent = new Map(tokens.filter(({ content }) => content !== "").map((token) => [token.content, token]));
  if (byContent.size === 0) return (text) => [{ text, start: 0 }];
  const longestFirst = [...byContent.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map(escaped).join("|"), "gu");
  return (text) => {
    const pieces: Piece[] = [];
    let done = 0;
    const between = (end: number): void => {
      if (done < end) pieces.push({ text: text.slice(done, end), start: done });
    };
    for (const { 0: content, index } of text.matchAll(pattern)) {
      const token = byContent.get(content)!;
      const after = index + content.length;
      if (token.single_word && (matchAt(WORD_BEFORE, text, index) || matchAt(WORD_AFTER, text, after))) continue;
      const start = token.lstrip ? Math.max(done, index - matchAt(SPACE_BEFORE, text, index)![1]!.length) : index;
      between(start);
      done = token.rstrip ? after + matchAt(SPACE_AFTER, text, after)![0].length : after;
      pieces.push({ text: text.slice(start, done), start, id: token.id });
    }
    between(text.length);
    return pieces;
  };
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

/** The special tokens of GPT-2's two files where no other file names any: RoBERTa's and OPT's. */
const USUAL: readonly Json[] = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"].map((content) => ({
  content,
  special: true,
  lstrip: content === "<mask>",
}));

/**
 * The added tokens that a folder's files name, as Python's transformers gathers them: tokenizer.json's; over them those of
 * tokenizer_config.json's `added_tokens_decoder`, or, where it has none, under them those of added_tokens.json; then the special tokens
 * that are named beside (bos_token and its like). A special token without an id has the vocabulary's, or the next one after all others,
 * where the model has a row for it: fewer than `rows`. Throws a KitError for a token without a text or an id.
 */
export function gatherAdded(files: TokenizerFiles, vocabulary: Vocabulary, rows: number): AddedToken[] {
  const special = specialTokens(files);
  const known = new Map(withIds(files, special).map((token) => [token.content, token]));
  let next = 1 + Math.max(vocabulary.size - 1, ...[...known.values()].map(({ id }) => id));
  for (const token of special.length === 0 && files.plain ? USUAL : special) {
    const content = String(token.content);
    const id = vocabulary.get(content) ?? (USUAL.includes(token) ? rows : next);
    if (known.has(content) || id >= rows) continue;
    known.set(content, addedToken(files.path, token, id));
    if (id === next) next++;
  }
  return [...known.values()];
}

/** The tokens that the files give ids to, later ones over earlier ones of the same text. */
function withIds({ path, json, config, addedTokens }: TokenizerFiles, special: readonly Json[]): AddedToken[] {
  const own = asList(json.added_tokens).map((token) => addedToken(path, token, isObject(token) ? token.id : undefined));
  if (isObject(config.added_tokens_decoder)) {
    const decoded = Object.entries(config.added_tokens_decoder);
    return [...own, ...decoded.map(([id, token]) => addedToken("tokenizer_config.json", token, Number(id)))];
  }
  const isSpecial = new Set(special.map(({ content }) => content));
  const older = Object.entries(addedTokens).map(([content, id]) =>
    addedToken("added_tokens.json", { content, special: isSpecial.has(content) }, id),
  );
  return [...older, ...own];
}

/** The names of special tokens, in the order in which those without an id get one. */
const NAMES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/** The special tokens by name, and the lists of further ones; special_tokens_map.json is for folders without an `added_tokens_decoder`. */
function specialTokens({ config, specialTokens: map }: TokenizerFiles): Json[] {
  const all: Json = isObject(config.added_tokens_decoder) ? config : { ...config, ...map };
  const others = Object.keys(all).filter((key) => key.endsWith("_token") && !NAMES.includes(key));
  const further = [all.additional_special_tokens, all.extra_special_tokens].flatMap(asList);
  return [...[...NAMES, ...others].map((name) => all[name]), ...further].flatMap((token) => {
    if (typeof token === "string") return [{ content: token, special: true }];
    return isObject(token) && typeof token.content === "string" ? [{ ...token, special: true }] : [];
  });
}

function addedToken(path: string, token: unknown, id: unknown): AddedToken {
  if (!isObject(token) || typeof token.content !== "string" || !Number.isSafeInteger(id) || (id as number) < 0)
    throw new KitError(
      `Reading ${path}: the added token ${shown(token)} with the id ${shown(id)} needs a text and a whole number from 0 on; get the file again from where the model came from.`,
    );
  const { content, lstrip, rstrip, single_word, special, normalized = special !== true } = token;
  const flags = { lstrip, rstrip, single_word, special, normalized };
  const isTrue = Object.fromEntries(Object.entries(flags).map(([name, value]) => [name, value === true]));
  return { id, content, ...isTrue } as unknown as AddedToken;
}

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
