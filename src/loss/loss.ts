import * as tf from "@tensorflow/tfjs-core";
import { KitError } from "../error.ts";
import type { Network } from "../nn/network.ts";
import type { Loss } from "../tasks/task.ts";
import type { Both, ReadSides } from "../tensor/pair.ts";
import type { Candidate } from "../text/prompt.ts";
import { answerPasses, candidatePasses } from "./candidates.ts";
import type { LabelledBatch } from "./encode.ts";
import { type Pass, runPasses, runPassesBeside, runPassesOnBothSides } from "./passes.ts";

/**
 * What a loss is: minus the mean of log-probabilities, which are made from the items' scores twice, as numbers in double precision for
 * values and as a tensor for gradients.
 */
interface LossDefinition {
  /** The forward passes, and the scores that each gives. */
  readonly passes: (batch: LabelledBatch) => Pass[];
  /** How many log-probabilities the mean is over. */
  readonly count: (batch: LabelledBatch) => number;
  /** The log-probabilities of an item from its scores; `right` is the candidate that training aims at. */
  readonly logProbs: (scores: readonly number[], right: number) => readonly number[];
  /** The sum over a pass's items, from the pass's table. */
  readonly logProbSum: (table: tf.Tensor, right: readonly number[]) => tf.Tensor;
}

/** The losses of the authors' code. */
export const losses: Readonly<Record<Loss, LossDefinition>> = {
  /**
   * Classification: cross entropy over the candidates, whose logits are the mean log-probabilities of their answer tokens (not the
   * sums, though the answers may differ in length); mean over the examples.
   */
  candidates: {
    passes: ({ examples }) => candidatePasses(examples),
    count: ({ examples }) => examples.length,
    logProbs: (scores, right) => [scores[right]! - logSumExp(scores)],
    logProbSum: (scores, right) => {
      const chosen = tf.oneHot(tf.tensor1d([...right], "int32"), scores.shape[1]!);
      return tf.sum(tf.mul(tf.logSoftmax(scores), chosen));
    },
  },
  /** COPA, ReCoRD, SQuAD and DROP: the right answer's tokens; mean over all of them in the batch, so that long answers weigh more. */
  answer: {
    passes: (batch) => answerPasses(rightAnswers(batch)),
    count: (batch) => rightAnswers(batch).reduce((sum, { optionLength }) => sum + optionLength, 0),
    logProbs: (tokens) => tokens,
    logProbSum: (tokens) => tf.sum(tokens),
  },
};

/** The loss of a batch with the present weights. */
export async function computeLoss(loss: Loss, network: Network, batch: LabelledBatch): Promise<number> {
  return lossFromScores(loss, await runPasses(network, losses[loss].passes(batch)), batch.gold);
}

/** The losses of a batch on both sides, inside `pairwise`, whose `sides` reads both sides of a tensor. */
export async function computeBothLosses(
  loss: Loss,
  network: Network,
  batch: LabelledBatch,
  sides: ReadSides,
): Promise<Both<number>> {
  const { plus, minus } = await runPassesOnBothSides(network, losses[loss].passes(batch), sides);
  return { plus: lossFromScores(loss, plus, batch.gold), minus: lossFromScores(loss, minus, batch.gold) };
}

/** The loss of a batch at theta + eps z, inside `beside`, whose `read` reads a tensor there. */
export async function computeLossBeside(
  loss: Loss,
  network: Network,
  batch: LabelledBatch,
  read: (tensor: tf.Tensor) => Promise<Float32Array>,
): Promise<number> {
  return lossFromScores(loss, await runPassesBeside(network, losses[loss].passes(batch), read), batch.gold);
}

/** The loss of items with these scores, in double precision; the first right candidate of each is the one that training aims at. */
export function lossFromScores(
  loss: Loss,
  scores: readonly (readonly number[])[],
  gold: LabelledBatch["gold"],
): number {
  const logProbs = scores.flatMap((of, i) => losses[loss].logProbs(of, gold[i]![0]!));
  return -logProbs.reduce((sum, one) => sum + one, 0) / logProbs.length;
}

/** The answers that training aims at, one an example. */
function rightAnswers({ examples, gold }: LabelledBatch): Candidate[] {
  return examples.map(({ candidates }, i) => {
    const right = candidates[gold[i]![0]!];
    if (right) return right;
    throw new KitError(
      "The task's loss is over the tokens of right answers, of which a mask and a classifier have none: take a task of classes.",
    );
  });
}

function logSumExp(values: readonly number[]): number {
  const top = Math.max(...values);
  return top + Math.log(values.reduce((sum, v) => sum + Math.exp(v - top), 0));
}
