import type { Network } from "../nn/network.ts";
import type { EncodedExample } from "../text/prompt.ts";
import { answerLogProbs, answerScores } from "./optionScores.ts";

/** Examples with the index of the right candidate of each. */
export interface LabelledBatch {
  readonly examples: readonly EncodedExample[];
  readonly gold: readonly number[];
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Mean log-probability of each candidate's answer tokens, [examples][candidates]; up to a constant per example (see answerScores). */
export function candidateScores(network: Network, examples: readonly EncodedExample[]): number[][] {
  return answerScores(network, examples).map((candidates) => candidates.map(mean));
}

/**
 * The authors' loss for classification: cross entropy over the candidates, whose logits are the mean log-probabilities of their
 * answer tokens; mean over the batch. Summed in double precision from float32 scores.
 */
export function classificationLoss(network: Network, { examples, gold }: LabelledBatch): number {
  return lossOfScores(candidateScores(network, examples), gold);
}

/** Cross entropy of candidates' scores, [examples][candidates], against the right ones; mean over the examples. */
export function lossOfScores(scores: readonly (readonly number[])[], gold: readonly number[]): number {
  return mean(scores.map((of, i) => logSumExp(of) - of[gold[i]!]!));
}

/** The authors' loss for other tasks: negative log-probability of the right answer's tokens, mean over all such tokens of the batch. */
export function answerLoss(network: Network, { examples, gold }: LabelledBatch): number {
  return -mean(
    answerLogProbs(
      network,
      examples.map(({ candidates }, i) => candidates[gold[i]!]!),
    ).flat(),
  );
}

function logSumExp(values: readonly number[]): number {
  const top = Math.max(...values);
  return top + Math.log(values.reduce((sum, v) => sum + Math.exp(v - top), 0));
}
