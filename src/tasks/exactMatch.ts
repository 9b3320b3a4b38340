import { answerWords } from "./answers.ts";

/** 1 where an answer has the same words in the same order as a right one (SQuAD's exact match), else 0. */
export function exactMatch(answer: string, right: readonly string[]): number {
  const words = answerWords(answer).join(" ");
  return right.some((one) => answerWords(one).join(" ") === words) ? 1 : 0;
}
