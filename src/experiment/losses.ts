import { packBatch } from "../nn/batch.ts";
import { features } from "../nn/features.ts";
import type { Network } from "../nn/network.ts";
import type { Loss } from "../tasks/task.ts";
import type { Candidate } from "../text/prompt.ts";
import { answerRowsOf, answerTokenLogProbs } from "./answerRows.ts";
import { candidateScores } from "./candidateScores.ts";
import type { LabelledBatch } from "./encode.ts";
import { inPasses } from "./passes.ts";
import { valuesOf } from "./read.ts";

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** The loss of a batch, in double precision from float32 scores: what zeroth-order training looks at. */
export const losses: Readonly<Record<Loss, (network: Network, batch: LabelledBatch) => Promise<number>>> = {
  candidates: classificationLoss,
  answer: answerLoss,
};

/**
 * The authors' loss for classification: cross entropy over the candidates, whose logits are the mean log-probabilities of their
 * answer tokens (not the sums, though the answers may differ in length); mean over the batch.
 */
export async function classificationLoss(network: Network, { examples, gold }: LabelledBatch): Promise<number> {
  return lossOfScores(await candidateScores(network, examples), gold);
}

/** Cross entropy of candidates' scores, [examples][candidates], against the right ones; mean over the examples. */
export function lossOfScores(scores: readonly (readonly number[])[], gold: LabelledBatch["gold"]): number {
  return mean(scores.map((of, i) => logSumExp(of) - of[gold[i]![0]!]!));
}

/**
 * The authors' loss for COPA, ReCoRD, SQuAD and DROP: negative log-probability of the right answer's tokens, mean over all such tokens
 * of the batch, so that long answers weigh more.
 */
export async function answerLoss(network: Network, batch: LabelledBatch): Promise<number> {
  return -mean((await answerLogProbs(network, rightAnswers(batch))).flat());
}

/** The answers that training aims at, one an example. */
export function rightAnswers({ examples, gold }: LabelledBatch): Candidate[] {
  return examples.map(({ candidates }, i) => candidates[gold[i]![0]!]!);
}

/** Log-probability of every answer token of each candidate, [candidates][tokens of the answer]. */
export function answerLogProbs(network: Network, candidates: readonly Candidate[]): Promise<number[][]> {
  return inPasses(
    candidates.map(({ ids }) => ids.length - 1),
    async (items) => {
      const part = items.map((i) => candidates[i]!);
      const values = await valuesOf(() => {
        const batch = packBatch(part.map(({ ids }) => ids.subarray(0, -1)));
        return answerTokenLogProbs(features(network, batch, answerRowsOf(part, batch.lengths)), network.head, part);
      });
      let end = 0;
      return part.map(({ optionLength }) => {
        end += optionLength;
        return [...values.subarray(end - optionLength, end)];
      });
    },
  );
}

function logSumExp(values: readonly number[]): number {
  const top = Math.max(...values);
  return top + Math.log(values.reduce((sum, v) => sum + Math.exp(v - top), 0));
}
