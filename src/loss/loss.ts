import * as tf from "@tensorflow/tfjs";
import { packBatch, type TokenBatch } from "../nn/batch.ts";
import type { Head, Network } from "../nn/network.ts";
import { features } from "../nn/run.ts";
import type { Loss } from "../tasks/task.ts";
import type { Both } from "../tensor/pair.ts";
import type { Candidate } from "../text/prompt.ts";
import {
  answerLogits,
  answerRowsOf,
  answersOf,
  answerTokenLogProbs,
  candidateMeans,
  candidateScoring,
  readRows,
  sharedPrompts,
  tokensOf,
} from "./candidates.ts";
import type { LabelledBatch } from "./encode.ts";
import { inOrder, passesOf, resultsOf, type Scoring } from "./passes.ts";

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

/** One forward pass of a batch: the tokens, the rows that are read, and this pass's share of the batch's loss as a tensor. */
export interface LossPass {
  readonly batch: TokenBatch;
  readonly rows: readonly number[];
  readonly loss: (features: tf.Tensor2D, head: Head) => tf.Scalar;
}

/** The losses of `losses.ts` for backpropagation: passes whose losses add up to the batch's. */
export const lossPasses: Readonly<Record<Loss, (batch: LabelledBatch) => LossPass[]>> = {
  candidates: (batch) => (sharedPrompts(batch.examples) ? promptPasses(batch) : candidatePasses(batch)),
  answer: answerPasses,
};

function promptPasses({ examples, gold }: LabelledBatch): LossPass[] {
  const prompts = sharedPrompts(examples)!;
  return passesOf(prompts.map(({ ids }) => ids.length)).map((items) => {
    const part = items.map((i) => prompts[i]!);
    const batch = packBatch(part.map(({ ids }) => ids));
    const right = items.map((i) => gold[i]![0]!);
    const loss: LossPass["loss"] = (seen, head) =>
      crossEntropy(answerLogits(seen, head, part[0]!.answers), right, examples.length);
    return { batch, rows: readRows(part, batch.lengths), loss };
  });
}

function candidatePasses({ examples, gold }: LabelledBatch): LossPass[] {
  return passesOf(examples.map(tokensOf)).map((items) => {
    const groups = items.map((i) => examples[i]!.candidates);
    const candidates = groups.flat();
    const batch = packBatch(candidates.map(({ ids }) => ids.subarray(0, -1)));
    const right = items.map((i) => gold[i]![0]!);
    const loss: LossPass["loss"] = (seen, head) =>
      crossEntropy(candidateMeans(answerTokenLogProbs(seen, head, candidates), groups), right, examples.length);
    return { batch, rows: answerRowsOf(candidates, batch.lengths), loss };
  });
}

function answerPasses(whole: LabelledBatch): LossPass[] {
  const answers = rightAnswers(whole);
  const tokens = answers.reduce((sum, { optionLength }) => sum + optionLength, 0);
  return passesOf(answers.map(({ ids }) => ids.length - 1)).map((items) => {
    const part = items.map((i) => answers[i]!);
    const batch = packBatch(part.map(({ ids }) => ids.subarray(0, -1)));
    const loss: LossPass["loss"] = (seen, head) =>
      tf.div(tf.sum(answerTokenLogProbs(seen, head, part)), -tokens) as tf.Scalar;
    return { batch, rows: answerRowsOf(part, batch.lengths), loss };
  });
}

/** Sum over the rows of −log softmax(scores)[right], over the batch's number of examples. */
function crossEntropy(scores: tf.Tensor2D, right: readonly number[], examples: number): tf.Scalar {
  const chosen = tf.oneHot(tf.tensor1d([...right], "int32"), scores.shape[1]);
  return tf.div(tf.sum(tf.mul(tf.logSoftmax(scores), chosen)), -examples) as tf.Scalar;
}
