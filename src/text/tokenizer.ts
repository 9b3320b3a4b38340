import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { isObject } from "../checkpoints/json.ts";
import { KitError } from "../error.ts";
import { gatherAdded, type Piece, splitterAt } from "./addedTokens.ts";
import { checkDecoder } from "./decoder.ts";
import { normalizerOf, preTokenizerOf } from "./split.ts";
import { type Json, readModel, readTokenizerFiles, type TokenizerFiles } from "./tokenizerFiles.ts";
import { type AddedToken, checkAdded, type Vocabulary } from "./vocabulary.ts";

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

/**
 * Loads the tokenizer of a model folder: tokenizer.json, or GPT-2's vocab.json and merges.txt, with the tokens that the files beside
 * them add; `rows` is how many ids the model knows. Texts get the ids that Python's library gives them; its cutting and padding, which
 * transformers leaves off too, are not done. Throws a KitError without those files, for damaged ones, and for parts that are not
 * computed as there.
 */
export function loadTokenizer(folder: string, rows: number = Infinity): Tokenizer {
  const files = readTokenizerFiles(folder);
  try {
    return tokenizerOf(files, rows);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new KitError(`Reading ${files.path}: its parts are nested too deeply; use a model with another tokenizer.`);
  }
}

function tokenizerOf(files: TokenizerFiles, rows: number): Tokenizer {
  const { model, vocabulary } = readModel(files);
  const added = gatherAdded(files, vocabulary, rows);
  checkAdded(files.path, added, vocabulary);
  const library = construct(files, model, added);
  const ids = new Map([...vocabulary, ...added.map(({ content, id }) => [content, id] as const)]);
  return {
    encode: encoder(files, added, wordEncoder(library, ids, model)),
    decode: (found) => decode(library, found),
    id: (token) => ids.get(token),
    size: [...ids.values()].reduce((most, id) => Math.max(most, id), -1) + 1,
  };
}

/** The part of the library that is used; its own declarations do not resolve under Node's module rules. */
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

/** As the Rust library does it: added tokens first, then those that are looked for in the normalized text, then words. */
function encoder(
  { json, config }: TokenizerFiles,
  added: readonly AddedToken[],
  encodeWord: (word: string) => readonly number[],
): (text: string) => number[] {
  const normalize = normalizerOf(json.normalizer);
  const preTokenize = preTokenizerOf(withPrefixSpace(json.pre_tokenizer, config));
  const asTheyAre = splitterAt(added.filter(({ normalized }) => !normalized));
  const normalized = added.filter((token) => token.normalized);
  const afterwards = splitterAt(normalized.map((token) => ({ ...token, content: normalize(token.content) })));
  const idsOf = ({ text, id, start }: Piece, first: boolean): readonly number[] => {
    if (id !== undefined) return [id];
    return text === "" ? [] : preTokenize(text, first && start === 0).flatMap(encodeWord);
  };
  return (text) =>
    asTheyAre(text).flatMap((piece) =>
      piece.id === undefined
        ? afterwards(normalize(piece.text)).flatMap((part) => idsOf(part, piece.start === 0))
        : [piece.id],
    );
}

/** Python's classes for GPT-2's kind take the space before a text from tokenizer_config.json. */
function withPrefixSpace(part: unknown, { add_prefix_space }: Json): unknown {
  const own = isObject(part) && part.type === "ByteLevel" && typeof add_prefix_space === "boolean";
  return own ? { ...part, add_prefix_space } : part;
}

const REMEMBERED_WORDS = 1 << 16;
const REMEMBERED_LENGTH = 64;

/** The ids of a word; those of short ones are remembered, so that texts which many prompts share cost little. */
function wordEncoder(library: Library, ids: Vocabulary, model: Json): (word: string) => readonly number[] {
  const known = new Map<string, readonly number[]>();
  const { unk_token, unk_id, byte_fallback } = model;
  const unknown = typeof unk_id === "number" ? unk_id : ids.get(String(unk_token));
  const drops = model.type === "BPE" && unknown === undefined && !byte_fallback;
  const encode = (word: string): readonly number[] => {
    // Without a token for it, what is unknown is gone before the merges, which then join what stood beside it.
    const kept = drops ? Array.from(word, (letter) => (ids.has(letter) ? letter : "")).join("") : word;
    return library.model([kept]).flatMap((token) => ids.get(token) ?? unknown ?? []);
  };
  return (word) => {
    const found = known.get(word);
    if (found) return found;
    const fresh = encode(word);
    if (known.size >= REMEMBERED_WORDS) known.clear();
    if (word.length <= REMEMBERED_LENGTH) known.set(word, fresh);
    return fresh;
  };
}

function decode(library: Library, ids: readonly number[]): string {
  const known = ids.filter((id) => library.id_to_token(id) !== undefined);
  if (known.length === 0) return "";
  return library.decode(known, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
}
