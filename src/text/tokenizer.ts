import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { isObject } from "../checkpoints/json.ts";
import { KitError } from "../error.ts";
import { checkAdded, gatherAdded } from "./addedTokens.ts";
import { type AddedToken, makeEncoder, type Vocabulary, type WordModel } from "./encode.ts";
import { checkDecoder, makeNormalizer, makePreTokenizer } from "./pipeline.ts";
import { type Json, readModel, readTokenizerFiles, type TokenizerFiles } from "./tokenizerFiles.ts";

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
 * Loads the tokenizer of a model folder: tokenizer.json, or GPT-2's vocab.json and merges.txt, with the added tokens of the files beside
 * them; `rows` is how many ids the model has embeddings for. Texts get the ids that Python's library gives them, without truncation and
 * padding. Throws a KitError where the files are missing or damaged, and for parts that the kit would compute differently.
 */
export function loadTokenizer(folder: string, rows: number = Infinity): Tokenizer {
  const files = readTokenizerFiles(folder);
  try {
    return makeTokenizer(files, rows);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new KitError(`Reading ${files.path}: its parts are nested too deeply; use a model with another tokenizer.`);
  }
}

function makeTokenizer(files: TokenizerFiles, rows: number): Tokenizer {
  const { model, vocabulary } = readModel(files);
  const added = gatherAdded(files, vocabulary, rows);
  checkAdded(files.path, added, vocabulary);
  const library = construct(files, model, added);
  const ids = new Map([...vocabulary, ...added.map(({ content, id }) => [content, id] as const)]);
  return {
    encode: makeEncoder({
      normalize: makeNormalizer(files.json.normalizer),
      preTokenize: makePreTokenizer(withPrefixSpace(files.json.pre_tokenizer, files.config)),
      added,
      model: makeWordModel(library, ids, model),
    }),
    decode: (found) => decode(library, found),
    id: (token) => ids.get(token),
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
