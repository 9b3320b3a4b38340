import { KitError } from "../error.ts";
import type { EncodedExample } from "./prompt.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Stands for the mask token in a masked prompt. */
export const MASK: unique symbol = Symbol("<mask>");

/** A piece of a masked prompt: text that is encoded by itself, cut after `maxTokens` where it says so, or the mask. */
export type MaskedPart = typeof MASK | { readonly text: string; readonly maxTokens?: number };

/** A prompt with one mask (Table 13): its pieces between the begin and the end token, and its longest length in tokens, both included. */
export interface MaskedPrompt {
  readonly parts: readonly MaskedPart[];
  readonly maxLength: number;
}

/** What a masked prompt is encoded from: texts, and the ids of the tokens at its ends and of the mask. */
export interface EncodeMaskedOptions {
  readonly tokenizer: Tokenizer;
  readonly begin: number;
  readonly end: number;
  readonly mask: number;
  readonly prompt: MaskedPrompt;
  /** The words that may stand at the mask, each with a leading space. */
  readonly options: readonly string[];
}

/**
 * A masked prompt as the authors' code encodes it: every piece by itself, the begin token before and the end token after, the tail cut
 * where it is too long (also the end token). Unlike the paper, whose sentences are short: where that would cut the mask away, the
 * longest piece before it is shortened instead. Throws a KitError where the options cannot be told apart by one token, or there
 * is no room for the mask.
 */
export function encodeMasked({ tokenizer, begin, end, mask, prompt, options }: EncodeMaskedOptions): EncodedExample {
  const { parts, maxLength } = prompt;
  const place = parts.indexOf(MASK);
  if (place < 0) throw new KitError("Encoding a prompt with a mask: none of its parts is MASK; add it.");
  const pieces = parts.map((part) => (part === MASK ? [mask] : tokenizer.encode(part.text).slice(0, part.maxTokens)));
  const lost = lengthOf(pieces.slice(0, place)) + 1 >= maxLength;
  const shown = lost ? shortened(pieces, place, maxLength) : pieces;
  const at = lengthOf(shown.slice(0, place)) + 1;
  const ids = [begin, ...shown.flat(), end].slice(0, maxLength);
  const answers = answersOf(tokenizer, options);
  return { candidates: [], shared: { ids: Int32Array.from(ids), at, answers } };
}

const lengthOf = (pieces: readonly (readonly number[])[]): number => pieces.flat().length;

/** The pieces with the longest before the mask cut, so that the mask stays and what follows it, up to half of the whole. */
function shortened(pieces: readonly number[][], place: number, maxLength: number): number[][] {
  const before = pieces.slice(0, place);
  const longest = before.reduce((best, piece, i) => (piece.length > before[best]!.length ? i : best), 0);
  const after = Math.min(lengthOf(pieces.slice(place + 1)), Math.floor(maxLength / 2));
  const left = before[longest]!.length - (lengthOf(before) + 3 + after - maxLength);
  if (left >= 0) return pieces.map((piece, i) => (i === longest ? piece.slice(0, left) : piece));
  throw new KitError(
    `Encoding a prompt with a mask: ${lengthOf(before)} tokens stand before the mask and ${maxLength} fit in all; shorten the text or raise maxLength.`,
  );
}

/**
 * The token that stands for each option: the word's own. Unlike the paper, whose words are one token each in RoBERTa's vocabulary, a
 * word of several tokens in a smaller one is told by its first, as long as that tells all options apart.
 */
function answersOf(tokenizer: Tokenizer, options: readonly string[]): number[] {
  const answers = options.map((option) => firstToken(tokenizer, option));
  const twice = options.find((_, i) => answers.indexOf(answers[i]!) !== i);
  if (twice === undefined) return answers;
  const other = options[answers.indexOf(answers[options.indexOf(twice)]!)];
  throw new KitError(
    `Encoding the options for a mask: ${JSON.stringify(other)} and ${JSON.stringify(twice)} begin with the same token, so that one mask cannot tell them apart; give other words.`,
  );
}

function firstToken(tokenizer: Tokenizer, option: string): number {
  const [first] = tokenizer.encode(option);
  if (first !== undefined && option.startsWith(" ")) return first;
  throw new KitError(`Encoding the option ${JSON.stringify(option)} for a mask: give a word with a space before it.`);
}
