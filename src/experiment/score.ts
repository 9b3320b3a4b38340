import type { Network } from "../nn/network.ts";
import { accuracyOf } from "../tasks/score.ts";
import { candidateScores, type LabelledBatch, lossOfScores } from "./losses.ts";
import type { Score } from "./run.ts";

/** How many examples are scored between two reports of progress. */
const EXAMPLES_PER_REPORT = 64;

/** Accuracy and mean loss of a network on examples: the candidate with the highest mean log-probability per token is its answer. */
export function scoreOn(
  network: Network,
  { examples, gold }: LabelledBatch,
  { on, step }: Pick<Score, "on" | "step">,
  onDone: (done: number) => void = () => {},
): Required<Score> {
  const scores: number[][] = [];
  for (let from = 0; from < examples.length; from += EXAMPLES_PER_REPORT) {
    scores.push(...candidateScores(network, examples.slice(from, from + EXAMPLES_PER_REPORT)));
    onDone(scores.length);
  }
  const right = scores.filter((of, i) => of.indexOf(Math.max(...of)) === gold[i]).length;
  return { on, step, ...accuracyOf(right, examples.length), loss: lossOfScores(scores, gold) };
}
