import { KitError } from "../error.ts";
import type { EncodedExample } from "./prompt.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Stands for the mask token in a masked prompt. */
export const MASK: unique symbol = Symbol("<mask>");

/** A piece of a masked prompt: the mask, or text that is encoded by itself and truncated to `maxTokens`. */
export type MaskedPart = typeof MASK | { readonly text: string; readonly maxTokens?: number };

/** A prompt with one mask (Table 13): its pieces between the begin and the end token, and its longest length in tokens, including both. */
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
  /** The words that may fill the mask, each with a leading space. */
  readonly options: readonly string[];
}

/**
 * Encodes a masked prompt as the authors' code does: every piece by itself, between the begin and the end token; a prompt that is too long
 * loses its right end, end token included. Unlike the paper, whose sentences are short, the longest piece before the mask is shortened
 * instead where the mask would be lost. Throws a KitError where one token does not distinguish the options, or the mask has no room.
 */
export function encodeMasked({ tokenizer, begin, end, mask, prompt, options }: EncodeMaskedOptions): EncodedExample {
  const { parts, maxLength } = prompt;
  const place = parts.indexOf(MASK);
  if (place < 0) throw new KitError("Encoding a prompt with a mask: none of its parts is MASK; add it.");
  const pieces = parts.map((part) => (part === MASK ? [mask] : tokenizer.encode(part.text).slice(0, part.maxTokens)));
  const lost = countTokens(pieces.slice(0, place)) + 1 >= maxLength;
  const shown = lost ? shorten(pieces, place, maxLength) : pieces;
  const at = countTokens(shown.slice(0, place)) + 1;
  const ids = [begin, ...shown.flat(), end].slice(0, maxLength);
  const answers = findAnswers(tokenizer, options);
  return { candidates: [], shared: { ids: Int32Array.from(ids), at, answers } };
}

/** The pieces of a masked prompt between the begin and the end token, without the mask; what is too long loses its right end. */
export function encodeUnmasked({ tokenizer, begin, end, prompt }: EncodeMaskedOptions): Int32Array {
  const pieces = prompt.parts.map((part) =>
    part === MASK ? [] : tokenizer.encode(part.text).slice(0, part.maxTokens),
  );
  return Int32Array.from([begin, ...pieces.flat(), end].slice(0, prompt.maxLength));
}

const countTokens = (pieces: readonly (readonly number[])[]): number => pieces.flat().length;

/** Shortens the longest piece before the mask, so that the mask stays, and what follows it up to half of the whole. */
function shorten(pieces: readonly number[][], place: number, maxLength: number): number[][] {
  const before = pieces.slice(0, place);
  const longest = before.reduce((best, piece, i) => (piece.length > before[best]!.length ? i : best), 0);
  const after = Math.min(countTokens(pieces.slice(place + 1)), Math.floor(maxLength / 2));
  const left = before[longest]!.length - (countTokens(before) + 3 + after - maxLength);
  if (left >= 0) return pieces.map((piece, i) => (i === longest ? piece.slice(0, left) : piece));
  throw new KitError(
    `Encoding a prompt with a mask: ${countTokens(before)} tokens come before the mask and ${maxLength} fit in all; shorten the text or raise maxLength.`,
  );
}

/**
 * The token of each option. Unlike the paper, whose words are one token each in RoBERTa's vocabulary, a word of several tokens in a smaller
 * vocabulary is represented by its first, as long as these differ.
 */
function findAnswers(tokenizer: Tokenizer, options: readonly string[]): number[] {
  const answers = options.map((option) => findFirstToken(tokenizer, option));
  const twice = options.find((_, i) => answers.indexOf(answers[i]!) !== i);
  if (twice === undefined) return answers;
  const other = options[answers.indexOf(answers[options.indexOf(twice)]!)];
  throw new KitError(
    `Encoding the options for a mask: ${JSON.stringify(other)} and ${JSON.stringify(twice)} begin with the same token, so one mask cannot distinguish them; give other words.`,
  );
}

function findFirstToken(tokenizer: Tokenizer, option: string): number {
  const [first] = tokenizer.encode(option);
  if (first !== undefined && option.startsWith(" ")) return first;
  throw new KitError(`Encoding the option ${JSON.stringify(option)} for a mask: give a word with a space before it.`);
}
