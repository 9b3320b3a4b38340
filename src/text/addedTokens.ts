import { isObject } from "../checkpoints/json.ts";
import { KitError, shown } from "../error.ts";
import type { AddedToken, Vocabulary } from "./encode.ts";
import type { Json, TokenizerFiles } from "./tokenizerFiles.ts";

/** The special tokens of RoBERTa and OPT, for GPT-2's two files where no other file names any. */
const USUAL: readonly Json[] = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"].map((content) => ({
  content,
  special: true,
  lstrip: content === "<mask>",
}));

/**
 * Gathers a folder's added tokens as Python's transformers does: those of tokenizer.json, overridden by the `added_tokens_decoder` of
 * tokenizer_config.json, or without one overriding those of added_tokens.json; then the named special tokens (bos_token and so on). A
 * special token without an id gets the vocabulary's, or the next one after all others while that is below `rows`, the model's embeddings.
 * Throws a KitError for a token without a text or an id.
 */
export function gatherAdded(files: TokenizerFiles, vocabulary: Vocabulary, rows: number): AddedToken[] {
  const special = gatherSpecial(files);
  const known = new Map(gatherWithIds(files, special).map((token) => [token.content, token]));
  let next = 1 + Math.max(vocabulary.size - 1, ...[...known.values()].map(({ id }) => id));
  for (const token of special.length === 0 && files.plain ? USUAL : special) {
    const content = String(token.content);
    const id = vocabulary.get(content) ?? (USUAL.includes(token) ? rows : next);
    if (known.has(content) || id >= rows) continue;
    known.set(content, readAddedToken(files.path, token, id));
    if (id === next) next++;
  }
  return [...known.values()];
}

/** The tokens whose ids the files state; a later one overrides an earlier one of the same text. */
function gatherWithIds({ path, json, config, addedTokens }: TokenizerFiles, special: readonly Json[]): AddedToken[] {
  const own = asList(json.added_tokens).map((token) =>
    readAddedToken(path, token, isObject(token) ? token.id : undefined),
  );
  if (isObject(config.added_tokens_decoder)) {
    const decoded = Object.entries(config.added_tokens_decoder);
    return [...own, ...decoded.map(([id, token]) => readAddedToken("tokenizer_config.json", token, Number(id)))];
  }
  const isSpecial = new Set(special.map(({ content }) => content));
  const older = Object.entries(addedTokens).map(([content, id]) =>
    readAddedToken("added_tokens.json", { content, special: isSpecial.has(content) }, id),
  );
  return [...older, ...own];
}

/** The names of special tokens, in the order in which those without an id get one. */
const NAMES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/** The special tokens by name, and the lists of further ones; special_tokens_map.json counts without an `added_tokens_decoder` only. */
function gatherSpecial({ config, specialTokens: map }: TokenizerFiles): Json[] {
  const all: Json = isObject(config.added_tokens_decoder) ? config : { ...config, ...map };
  const others = Object.keys(all).filter((key) => key.endsWith("_token") && !NAMES.includes(key));
  const further = [all.additional_special_tokens, all.extra_special_tokens].flatMap(asList);
  return [...[...NAMES, ...others].map((name) => all[name]), ...further].flatMap((token) => {
    if (typeof token === "string") return [{ content: token, special: true }];
    return isObject(token) && typeof token.content === "string" ? [{ ...token, special: true }] : [];
  });
}

function readAddedToken(path: string, token: unknown, id: unknown): AddedToken {
  if (!isObject(token) || typeof token.content !== "string" || !Number.isSafeInteger(id) || (id as number) < 0)
    throw new KitError(
      `Reading ${path}: the added token ${shown(token)} with the id ${shown(id)} needs a text and a whole number of at least 0; get the file again from where the model came from.`,
    );
  const { content, lstrip, rstrip, single_word, special, normalized = special !== true } = token;
  const flags = { lstrip, rstrip, single_word, special, normalized };
  const isTrue = Object.fromEntries(Object.entries(flags).map(([name, value]) => [name, value === true]));
  return { id, content, ...isTrue } as unknown as AddedToken;
}

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/**
 * Throws a KitError where an added token's id is not the one that Python's library gives it, whatever its file says: that of the
 * vocabulary, or the next after it in the order of the files' ids.
 */
export function checkAdded(path: string, added: readonly AddedToken[], vocabulary: Vocabulary): void {
  let next = vocabulary.size;
  for (const { content, id } of added.toSorted((a, b) => a.id - b.id)) {
    const right = vocabulary.get(content) ?? next++;
    if (id !== right)
      throw new KitError(
        `Reading ${path}: the added token ${shown(content)} has the id ${id}, but ${right} ${vocabulary.has(content) ? "in the vocabulary" : "is the next after the vocabulary"}; get the file again from where the model came from.`,
      );
  }
}
