import { splitSpace } from "../text/prompt.ts";

/** ASCII's punctuation, as Python's string.punctuation has it. */
const PUNCTUATION = /[!-/:-@[-`{-~]/g;

/** The articles as whole words, with Python's word characters. */
const ARTICLES = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;

/** The words of an answer as SQuAD's official script compares them: small letters, no punctuation, no articles. */
export function splitAnswer(answer: string): string[] {
  const text = answer.toLowerCase().replace(PUNCTUATION, "").replace(ARTICLES, " ");
  return splitSpace(text);
}

/** 1 where an answer has the same words in the same order as a right one (SQuAD's exact match), else 0. */
export function matchesExactly(answer: string, right: readonly string[]): number {
  const words = splitAnswer(answer).join(" ");
  return right.some((one) => splitAnswer(one).join(" ") === words) ? 1 : 0;
}

/**
 * The token F1 of an answer, 0 to 1: the harmonic mean of precision and recall over the words it shares with a right answer, for the one
 * that it matches best. As in SQuAD's official script, an answer without words scores 0, whatever is right.
 */
export function tokenF1(answer: string, right: readonly string[]): number {
  const words = splitAnswer(answer);
  return Math.max(0, ...right.map((one) => computeF1(words, splitAnswer(one))));
}

function computeF1(words: readonly string[], right: readonly string[]): number {
  const left = new Map<string, number>();
  for (const word of right) left.set(word, (left.get(word) ?? 0) + 1);
  let same = 0;
  for (const word of words) {
    const count = left.get(word) ?? 0;
    if (count > 0) same++;
    left.set(word, count - 1);
  }
  if (same === 0) return 0;
  const [precision, recall] = [same / words.length, same / right.length];
  return (2 * precision * recall) / (precision + recall);
}
