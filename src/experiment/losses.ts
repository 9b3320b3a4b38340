import * as tf from "@tensorflow/tfjs";
import { packBatch } from "../nn/batch.ts";
import { features } from "../nn/features.ts";
import type { Network } from "../nn/network.ts";
import type { Loss } from "../tasks/task.ts";
import type { Both } from "../tensor/pair.ts";
import type { Candidate } from "../text/prompt.ts";
import { answerRowsOf, answersOf, answerTokenLogProbs } from "./answerRows.ts";
import { candidateScoring } from "./candidateScores.ts";
import type { LabelledBatch } from "./encode.ts";
import { passesOf } from "./passes.ts";
import { inOrder, resultsOf, type Scoring } from "./scoring.ts";

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** The scores that a loss is made of, and how: in double precision from float32 scores. */
interface LossScoring {
  readonly scoring: Scoring<number[]>;
  readonly lossOf: (scores: readonly (readonly number[])[]) => number;
}

const lossScorings: Readonly<Record<Loss, (network: Network, batch: LabelledBatch) => LossScoring>> = {
  candidates: (network, { examples, gold }) => ({
    scoring: candidateScoring(network, examples),
    lossOf: (scores) => lossOfScores(scores, gold),
  }),
  answer: (network, batch) => ({
    scoring: answerScoring(network, rightAnswers(batch)),
    lossOf: (logProbs) => -mean(logProbs.flat()),
  }),
};

/** The loss of a batch with the weights as they are. */
export async function lossOf(loss: Loss, network: Network, batch: LabelledBatch): Promise<number> {
  const { scoring, lossOf: from } = lossScorings[loss](network, batch);
  return from(await resultsOf(scoring));
}

/** The losses of a batch on both sides, inside `pairwise`, whose `sides` gives the values of both. */
export function bothLosses(
  loss: Loss,
  network: Network,
  batch: LabelledBatch,
  sides: (tensor: tf.Tensor) => Both<Float32Array>,
): Both<number> {
  const { scoring, lossOf: from } = lossScorings[loss](network, batch);
  const values = bothValues(scoring, sides);
  const side = (of: "plus" | "minus"): number =>
    from(
      inOrder(
        scoring.passes,
        values.map((both) => both[of]),
      ),
    );
  return { plus: side("plus"), minus: side("minus") };
}

function bothValues(
  { passes, shared }: Scoring<number[]>,
  sides: (tensor: tf.Tensor) => Both<Float32Array>,
): Both<Float32Array>[] {
  try {
    return passes.map(({ run }) => {
      const tensor = tf.tidy(run);
      const both = sides(tensor);
      tensor.dispose();
      return both;
    });
  } finally {
    tf.dispose([...shared]);
  }
}

/**
 * The authors' loss for classification: cross entropy over the candidates, whose logits are the mean log-probabilities of their
 * answer tokens (not the sums, though the answers may differ in length); mean over the batch.
 */
export function classificationLoss(network: Network, batch: LabelledBatch): Promise<number> {
  return lossOf("candidates", network, batch);
}

/** Cross entropy of candidates' scores, [examples][candidates], against the right ones; mean over the examples. */
export function lossOfScores(scores: readonly (readonly number[])[], gold: LabelledBatch["gold"]): number {
  return mean(scores.map((of, i) => logSumExp(of) - of[gold[i]![0]!]!));
}

/**
 * The authors' loss for COPA, ReCoRD, SQuAD and DROP: negative log-probability of the right answer's tokens, mean over all such tokens
 * of the batch, so that long answers weigh more.
 */
export function answerLoss(network: Network, batch: LabelledBatch): Promise<number> {
  return lossOf("answer", network, batch);
}

/** The answers that training aims at, one an example. */
export function rightAnswers({ examples, gold }: LabelledBatch): Candidate[] {
  return examples.map(({ candidates }, i) => candidates[gold[i]![0]!]!);
}

/** Log-probability of every answer token of each candidate, [candidates][tokens of the answer]. */
function answerScoring(network: Network, candidates: readonly Candidate[]): Scoring<number[]> {
  const passes = passesOf(candidates.map(({ ids }) => ids.length - 1)).map((items) => {
    const part = items.map((i) => candidates[i]!);
    const batch = packBatch(part.map(({ ids }) => ids.subarray(0, -1)));
    return {
      items,
      run: () => answerTokenLogProbs(features(network, batch, answerRowsOf(part, batch.lengths)), network.head, part),
      read: (values: Float32Array) => answersOf(values, part),
    };
  });
  return { passes, shared: [] };
}

function logSumExp(values: readonly number[]): number {
  const top = Math.max(...values);
  return top + Math.log(values.reduce((sum, v) => sum + Math.exp(v - top), 0));
}
