import { answerWords } from "./answers.ts";

/**
 * The token F1 of an answer, 0 to 1: the harmonic mean of precision and recall over the words it shares with a right one, for the right
 * one that it fits best. As in SQuAD's official script, an answer without words scores 0, whatever is right.
 */
export function f1(answer: string, right: readonly string[]): number {
  const words = answerWords(answer);
  return Math.max(0, ...right.map((one) => overlap(words, answerWords(one))));
}

function overlap(words: readonly string[], right: readonly string[]): number {
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
