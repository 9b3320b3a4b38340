import { isObject } from "../checkpoints/json.ts";
import type { AddedToken } from "./encode.ts";
import type { Json, TokenizerFiles } from "./tokenizerFiles.ts";

/** Ids of the tokens that a model expects around a text and in it, where its tokenizer has them. */
export interface SpecialIds {
  /** The token that the tokenizer puts before every text; null for none; undefined where its files do not say. */
  readonly begin?: number | null | undefined;
  /** The token that separates texts and ends the last one: BERT's [SEP]. */
  readonly separator?: number | undefined;
  /** The token in whose place a masked model predicts. */
  readonly mask?: number | undefined;
}

/** A token that is left out of decoded text, with the names that the model's files have for it, such as bos_token. */
export interface SpecialToken {
  readonly text: string;
  readonly id: number;
  readonly names: readonly string[];
}

/** The added tokens that are special, by id. */
export function listSpecialTokens(
  { config, specialTokens }: TokenizerFiles,
  added: readonly AddedToken[],
): SpecialToken[] {
  const named = Object.entries({ ...specialTokens, ...config }).filter(([name]) => name.endsWith("_token"));
  const texts = named.map(([name, token]) => [name, isObject(token) ? token.content : token] as const);
  const special = added.filter((token) => token.special).sort((a, b) => a.id - b.id);
  return special.map(({ content: text, id }) => ({
    ...{ text, id },
    names: texts.filter(([, other]) => other === text).map(([name]) => name),
  }));
}

/** Finds the ids of special tokens by what the tokenizer's files say of them, and where they say nothing, by their usual names. */
export function readSpecialIds(files: TokenizerFiles, id: (token: string) => number | undefined): SpecialIds {
  const named = (name: string, usual: readonly string[]): number | undefined =>
    [readName(files, name), ...usual].flatMap((token) => (token === undefined ? [] : (id(token) ?? [])))[0];
  return {
    begin: readBegin(files, id),
    separator: named("sep_token", ["[SEP]"]),
    mask: named("mask_token", ["<mask>", "[MASK]"]),
  };
}

function readName({ config, specialTokens }: TokenizerFiles, name: string): string | undefined {
  const token = config[name] ?? specialTokens[name];
  const content = isObject(token) ? token.content : token;
  return typeof content === "string" ? content : undefined;
}

/** As in transformers, add_bos_token goes before the post-processor, which it rewrites. */
function readBegin(files: TokenizerFiles, id: (token: string) => number | undefined): number | null | undefined {
  const { add_bos_token: adds, bos_token } = files.config;
  const first = firstOfTemplate(files.json.post_processor);
  const token = adds === true ? (readName(files, "bos_token") ?? first) : first;
  if (adds === false || (token === undefined && bos_token === null)) return null;
  return token === undefined ? undefined : id(token);
}

/** The token that a post-processor puts before a single text. */
function firstOfTemplate(part: unknown): string | undefined {
  if (!isObject(part)) return undefined;
  if (Array.isArray(part.processors)) return part.processors.map(firstOfTemplate).find((token) => token !== undefined);
  if (Array.isArray(part.single)) return nameOf((part.single as Json[])[0]?.SpecialToken);
  return Array.isArray(part.cls) && typeof part.cls[0] === "string" ? part.cls[0] : undefined;
}

function nameOf(special: unknown): string | undefined {
  return isObject(special) && typeof special.id === "string" ? special.id : undefined;
}
