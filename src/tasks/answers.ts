import { splitSpace } from "../text/strip.ts";

/** ASCII's punctuation, as Python's string.punctuation has it. */
const PUNCTUATION = /[!-/:-@[-`{-~]/g;
/** The articles as whole words, by Python's idea of a word. */
const ARTICLES = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;

/** The words of an answer as SQuAD's official script compares them: small letters, no punctuation, no articles. */
export function answerWords(answer: string): string[] {
  const text = answer.toLowerCase().replace(PUNCTUATION, "").replace(ARTICLES, " ");
  return splitSpace(text);
}
