/** The tokens of a model and their ids. */
export type Vocabulary = ReadonlyMap<string, number>;

/** A token that is looked for before a text is split into words, with tokenizer.json's settings of `added_tokens`. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Takes the white space before it. */
  readonly lstrip: boolean;
  /** Takes the white space after it. */
  readonly rstrip: boolean;
  /** Matches only whole words. */
  readonly single_word: boolean;
  /** Is looked for in the normalized text. */
  readonly normalized: boolean;
  /** Is left out of decoded text. */
  readonly special: boolean;
}

/** Cuts a text into the words that the model is given; `first` where it stands at the beginning of the whole text. */
export type PreTokenize = (text: string, first: boolean) => string[];

/** The normalizer of tokenizers that have none. */
export const unchanged = (text: string): string => text;

/** The model of a tokenizer: how it cuts words into tokens, and their ids. */
export interface WordModel {
  readonly tokenize: (words: readonly string[]) => readonly string[];
  readonly ids: Vocabulary;
  /** The id of tokens that have none. */
  readonly unknown: number | undefined;
  /** Whether letters without a token are dropped before the merges, which then join their neighbours. */
  readonly dropsUnknown: boolean;
}

/** What turns texts into ids. */
export interface EncoderParts {
  readonly normalize: (text: string) => string;
  readonly preTokenize: PreTokenize;
  readonly added: readonly AddedToken[];
  readonly model: WordModel;
}

/** Encodes in the Rust library's order: added tokens first, then those that are looked for in the normalized text, then words. */
export function makeEncoder({ normalize, preTokenize, added, model }: EncoderParts): (text: string) => number[] {
  const encodeWord = makeWordEncoder(model);
  const splitRaw = makeSplitter(added.filter(({ normalized }) => !normalized));
  const normalized = added.filter((token) => token.normalized);
  const splitNormalized = makeSplitter(normalized.map((token) => ({ ...token, content: normalize(token.content) })));
  const encodePiece = ({ text, id, start }: Piece, first: boolean): readonly number[] => {
    if (id !== undefined) return [id];
    return text === "" ? [] : preTokenize(text, first && start === 0).flatMap(encodeWord);
  };
  return (text) =>
    splitRaw(text).flatMap((piece) =>
      piece.id === undefined
        ? splitNormalized(normalize(piece.text)).flatMap((part) => encodePiece(part, piece.start === 0))
        : [piece.id],
    );
}

/** A part of a text: an added token with its id, or the text between two. */
interface Piece {
  readonly text: string;
  /** Its first character's place in the text. */
  readonly start: number;
  readonly id?: number;
}

/** Word characters and white space as the Rust library's patterns have them. */
const WORD = "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]";
const WORD_BEFORE = new RegExp(`(?<=${WORD})`, "uy");
const WORD_AFTER = new RegExp(WORD, "uy");
const SPACE_BEFORE = /(?<=(\p{White_Space}*))/uy;
const SPACE_AFTER = /\p{White_Space}*/uy;

/** Splits texts at added tokens: at the first one, and at the longest of several that begin at the same place. */
function makeSplitter(tokens: readonly AddedToken[]): (text: string) => readonly Piece[] {
  const byContent = new Map(tokens.filter(({ content }) => content !== "").map((token) => [token.content, token]));
  if (byContent.size === 0) return (text) => [{ text, start: 0 }];
  const longestFirst = [...byContent.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map(escapePattern).join("|"), "gu");
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

const escapePattern = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

/** GPT-2's pre-tokenizer: words by its pattern, each in byte letters. */
export function byteLevel(prefixSpace: boolean, split: boolean): PreTokenize {
  return (text) => {
    const spaced = prefixSpace && !text.startsWith(" ") ? ` ${text}` : text;
    return (split ? (spaced.match(GPT2_PATTERN) ?? []) : [spaced]).map(toByteLetters);
  };
}

/** GPT-2's pattern; JavaScript's \s would also match U+FEFF and miss U+0085, unlike that of the original. */
const GPT2_PATTERN =
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
function toByteLetters(text: string): string {
  if (PLAIN.test(text)) return text;
  let letters = "";
  for (const byte of utf8.encode(text)) letters += LETTERS[byte];
  return letters;
}

const REMEMBERED_WORDS = 1 << 16;
const REMEMBERED_LENGTH = 64;

/** Encodes words and remembers the ids of short ones, so that texts which many prompts share cost little. */
function makeWordEncoder({ tokenize, ids, unknown, dropsUnknown }: WordModel): (word: string) => readonly number[] {
  const remembered = new Map<string, readonly number[]>();
  return (word) => {
    const found = remembered.get(word);
    if (found) return found;
    const kept = dropsUnknown ? Array.from(word, (letter) => (ids.has(letter) ? letter : "")).join("") : word;
    const fresh = tokenize([kept]).flatMap((token) => ids.get(token) ?? unknown ?? []);
    if (remembered.size >= REMEMBERED_WORDS) remembered.clear();
    if (word.length <= REMEMBERED_LENGTH) remembered.set(word, fresh);
    return fresh;
  };
}
