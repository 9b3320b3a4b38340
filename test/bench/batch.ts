import type { LabelledBatch } from "../../src/loss/encode.ts";
import type { EncodedExample } from "../../src/text/prompt.ts";
import type { BenchRequest } from "./request.ts";

/** The candidates' tokens where the loss is over candidates. */
const ANSWERS = [11, 12];

/** Rows of arbitrary tokens of a vocabulary, all of one length and no two beginning alike. */
export function benchBatch({ rows, tokens, loss }: BenchRequest, vocabulary: number): LabelledBatch {
  const ids = (row: number): Int32Array =>
    Int32Array.from({ length: tokens }, (_, i) => ((row * tokens + i) * 7919 + 1) % vocabulary);
  const exampleOf = { answer: withAnswer, candidates: withCandidates }[loss];
  const examples = Array.from({ length: rows }, (_, row) => exampleOf(ids(row)));
  const gold = examples.map(({ candidates }, row) => [row % candidates.length]);
  return { examples, gold, texts: [], begin: "mezo" };
}

/** How many answers the batch's rows choose from; undefined where the whole vocabulary counts. */
export function answersOf(loss: BenchRequest["loss"]): number | undefined {
  return loss === "candidates" ? ANSWERS.length : undefined;
}

/** A row whose last token is the answer. */
const withAnswer = (ids: Int32Array): EncodedExample => ({ candidates: [{ ids, optionLength: 1 }] });

/** A row whose last token is one of the candidates. */
function withCandidates(ids: Int32Array): EncodedExample {
  const prompt = ids.subarray(0, -1);
  const candidates = ANSWERS.map((answer) => ({ ids: Int32Array.of(...prompt, answer), optionLength: 1 }));
  return { candidates, shared: { ids: prompt, at: prompt.length - 1, answers: ANSWERS } };
}
