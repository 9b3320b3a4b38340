import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { isObject } from "../checkpoints/json.ts";
import { KitError, showValue } from "../error.ts";
import { type ChatFormat, findChatTemplate } from "./chatTemplate.ts";
import { type AddedToken, makeEncoder, type Vocabulary, type WordModel } from "./encode.ts";
import { checkDecoder, makeNormalizer, makePreTokenizer } from "./pipeline.ts";
import { listSpecialTokens, readSpecialIds, type SpecialIds } from "./specialIds.ts";
import { type Json, readModel, readTokenizerFiles, type TokenizerFiles } from "./tokenizerFiles.ts";

/** A text encoder: strings to token ids and back. */
export interface Tokenizer extends ChatFormat {
  /** The ids of a text, without begin or end tokens. */
  encode(text: string): number[];
  /** The text of ids, leaving out special tokens and ids that the vocabulary does not have. */
  decode(ids: readonly number[]): string;
  /** The id of a token as the vocabulary spells it (GPT-2's "Ġ" for a leading space). */
  id(token: string): number | undefined;
  /** The token of an id, as the vocabulary spells it. */
  token(id: number): string | undefined;
  /** Ids of the tokens that the model expects around a text and in it. */
  readonly special: SpecialIds;
  /** The largest id plus one. */
  readonly size: number;
  /** How it cuts words: "byte-level BPE", "Unigram" and so on. */
  readonly kind: string;
}

/** Returns what gives the text of ids that continue others: decoded together with those, since some tokenizers drop the space that begins a text. */
export function decodeAfter({ decode }: Tokenizer, before: readonly number[]): (made: readonly number[]) => string {
  const { length } = decode(before);
  return (made) => decode([...before, ...made]).slice(length);
}

/**
 * Loads the tokenizer of a model folder: tokenizer.json, or GPT-2's vocab.json and merges.txt, or BERT's vocab.txt, with the added tokens of the files beside
 * them; `rows` is how many ids the model has embeddings for. Texts get the ids that Python's library gives them, without truncation and
 * padding. Throws a KitError where the files are missing or damaged, and for parts that the kit would compute differently.
 */
export function loadTokenizer(folder: string, rows: number = Infinity): Tokenizer {
  return makeTokenizer(readTokenizerFiles(folder), rows);
}

/** Makes a tokenizer of its files' contents, as `loadTokenizer` does. */
export function makeTokenizer(files: TokenizerFiles, rows: number = Infinity): Tokenizer {
  try {
    return buildTokenizer(files, rows);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new KitError(`Reading ${files.path}: its parts are nested too deeply; use a model with another tokenizer.`);
  }
}

function buildTokenizer(files: TokenizerFiles, rows: number): Tokenizer {
  const { model, vocabulary } = readModel(files);
  const added = gatherAdded(files, vocabulary, rows);
  checkAdded(files.path, added, vocabulary);
  const library = construct(files, model, added);
  const ids = new Map([...vocabulary, ...added.map(({ content, id }) => [content, id] as const)]);
  const chatTemplate = findChatTemplate(files);
  return {
    encode: makeEncoder({
      normalize: makeNormalizer(withOwnCase(files.json.normalizer, files.config)),
      preTokenize: makePreTokenizer(withPrefixSpace(files.json.pre_tokenizer, files.config)),
      added,
      model: makeWordModel(library, ids, model),
    }),
    decode: (found) => decode(library, found),
    id: (token) => ids.get(token),
    token: (id) => library.id_to_token(id),
    kind: kindOf(files, model),
    specialTokens: listSpecialTokens(files, added),
    ...(chatTemplate !== undefined && { chatTemplate }),
    special: readSpecialIds(files, (token) => ids.get(token)),
    size: [...ids.values()].reduce((most, id) => Math.max(most, id), -1) + 1,
  };
}

/** What the kit uses of the library, whose own declarations do not resolve under Node's module rules. */
interface Library {
  readonly model: (words: readonly string[]) => string[];
  decode(
    ids: readonly number[],
    options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean },
  ): string;
  id_to_token(id: number): string | undefined;
}

function construct({ path, json }: TokenizerFiles, model: Json, added_tokens: readonly AddedToken[]): Library {
  const { decoder = null } = json;
  checkDecoder(decoder);
  const rest = { normalizer: null, pre_tokenizer: null, post_processor: null };
  try {
    return new LibraryTokenizer({ model, decoder, added_tokens, ...rest }, {}) as unknown as Library;
  } catch (error) {
    throw new KitError(
      `Reading ${path}: ${(error as Error).message}, so that its tokens cannot be computed; use a model with another tokenizer.`,
    );
  }
}

/** Python's classes for GPT-2's kind take the space before a text from tokenizer_config.json. */
function withPrefixSpace(part: unknown, { add_prefix_space }: Json): unknown {
  const own = isObject(part) && part.type === "ByteLevel" && typeof add_prefix_space === "boolean";
  return own ? { ...part, add_prefix_space } : part;
}

/** Python's classes for BERT's kind take from tokenizer_config.json how letters are changed. */
function withOwnCase(part: unknown, config: Json): unknown {
  if (!isObject(part) || part.type !== "BertNormalizer") return part;
  const { do_lower_case: lowercase, strip_accents, tokenize_chinese_chars: handle_chinese_chars } = config;
  const own = Object.entries({ lowercase, strip_accents, handle_chinese_chars });
  return { ...part, ...Object.fromEntries(own.filter(([, value]) => value !== undefined && value !== null)) };
}

function makeWordModel(library: Library, ids: Vocabulary, model: Json): WordModel {
  const { unk_token, unk_id, byte_fallback } = model;
  const unknown = typeof unk_id === "number" ? unk_id : ids.get(String(unk_token));
  const dropsUnknown = model.type === "BPE" && unknown === undefined && !byte_fallback;
  return { tokenize: library.model, ids, unknown, dropsUnknown };
}

function decode(library: Library, ids: readonly number[]): string {
  const known = ids.filter((id) => library.id_to_token(id) !== undefined);
  if (known.length === 0) return "";
  return library.decode(known, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
}

/**
 * Gathers a folder's added tokens as Python's transformers does: those of tokenizer.json, overridden by the `added_tokens_decoder` of
 * tokenizer_config.json, or without one overriding those of added_tokens.json; then the named special tokens (bos_token and so on). A
 * special token without an id gets the vocabulary's, or the next one after all others while that is below `rows`, the model's embeddings.
 * Throws a KitError for a token without a text or an id.
 */
function gatherAdded(files: TokenizerFiles, vocabulary: Vocabulary, rows: number): AddedToken[] {
  const special = gatherSpecial(files);
  const known = new Map(gatherWithIds(files, special).map((token) => [token.content, token]));
  let next = 1 + Math.max(vocabulary.size - 1, ...[...known.values()].map(({ id }) => id));
  const usual: readonly Json[] = files.usual.map((content) => ({
    content,
    special: true,
    lstrip: content === "<mask>",
  }));
  for (const token of special.length === 0 ? usual : special) {
    const content = String(token.content);
    const id = vocabulary.get(content) ?? (usual.includes(token) ? rows : next);
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

/** "byte-level BPE" where words are cut as bytes, else the model's type. */
function kindOf({ json: { decoder, pre_tokenizer } }: TokenizerFiles, { type }: Json): string {
  const bytes = JSON.stringify([decoder, pre_tokenizer]).includes('"ByteLevel"');
  return `${bytes ? "byte-level " : ""}${type}`;
}

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

/** Longer ones are taken for damage: all of them become one pattern, which cannot be of any size. */
const LONGEST_ADDED = 1000;

function readAddedToken(path: string, token: unknown, id: unknown): AddedToken {
  if (!isObject(token) || typeof token.content !== "string" || !Number.isSafeInteger(id) || (id as number) < 0)
    throw new KitError(
      `Reading ${path}: the added token ${showValue(token)} with the id ${showValue(id)} needs a text and a whole number of at least 0; get the file again from where the model came from.`,
    );
  const { content, lstrip, rstrip, single_word, special, normalized = special !== true } = token;
  if (content.length > LONGEST_ADDED)
    throw new KitError(
      `Reading ${path}: the added token ${showValue(content)} has ${content.length} characters, more than the ${LONGEST_ADDED} that one may have; get the file again from where the model came from.`,
    );
  const flags = { lstrip, rstrip, single_word, special, normalized };
  const isTrue = Object.fromEntries(Object.entries(flags).map(([name, value]) => [name, value === true]));
  return { id, content, ...isTrue } as unknown as AddedToken;
}

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/**
 * Throws a KitError where an added token's id is not the one that Python's library gives it, whatever its file says: that of the
 * vocabulary, or the next after it in the order of the files' ids.
 */
function checkAdded(path: string, added: readonly AddedToken[], vocabulary: Vocabulary): void {
  let next = vocabulary.size;
  for (const { content, id } of added.toSorted((a, b) => a.id - b.id)) {
    const right = vocabulary.get(content) ?? next++;
    if (id !== right)
      throw new KitError(
        `Reading ${path}: the added token ${showValue(content)} has the id ${id}, but ${right} ${vocabulary.has(content) ? "in the vocabulary" : "is the next after the vocabulary"}; get the file again from where the model came from.`,
      );
  }
}
