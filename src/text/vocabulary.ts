import { KitError, shown } from "../error.ts";

/** GPT-2's pattern; JavaScript's \s would also match U+FEFF and miss U+0085, unlike that of the original. */
export const GPT2_PATTERN: RegExp =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** GPT-2's visible letter for each byte: its own where it is visible, else the next from U+0100 on. */
const LETTERS: readonly string[] = (() => {
  let next = 0x100;
  const visible = (byte: number): boolean => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(visible(byte) ? byte : next++));
})();

const PLAIN = /^[!-~]+$/;
const utf8 = new TextEncoder();

/** A text's UTF-8 bytes, each as GPT-2's letter for it: " é" becomes "ĠÃ©". */
export function toByteLetters(text: string): string {
  if (PLAIN.test(text)) return text;
  let letters = "";
  for (const byte of utf8.encode(text)) letters += LETTERS[byte];
  return letters;
}

/** The tokens of a model and their ids. */
export type Vocabulary = ReadonlyMap<string, number>;

/** Ids beyond this many for each token are taken for damage. */
const IDS_PER_TOKEN = 16;
const SPARE_IDS = 100_000;

/** The vocabulary that a JSON object holds. Throws a KitError, which names the file and the id, for ids that are none, too large or used twice. */
export function readVocabulary(path: string, found: object): Vocabulary {
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
export function mergesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  return (lines[0]!.startsWith("#version") ? lines.slice(1) : lines).filter((line) => line !== "");
}

/** The merges of byte-pair encoding as pairs, each given as one or as a text with a space. Throws a KitError for one that is none, or makes what is no token. */
export function readMerges(path: string, found: unknown, vocabulary: Vocabulary): (readonly [string, string])[] {
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
        `Reading ${path}: the added token ${shown(content)} has the id ${id}, but ${right} ${vocabulary.has(content) ? "in the vocabulary" : "is the next after the vocabulary"}; ${AGAIN}.`,
      );
  }
}

/** A token that is found in a text before anything else is done with it, as tokenizer.json's `added_tokens` describe it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Takes the white space before it. */
  readonly lstrip: boolean;
  /** Takes the white space after it. */
  readonly rstrip: boolean;
  /** Is found only where no word goes on at either side. */
  readonly single_word: boolean;
  /** Is looked for in the normalized text. */
  readonly normalized: boolean;
  /** Is left out of decoded texts. */
  readonly special: boolean;
}
