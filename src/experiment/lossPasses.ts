import * as tf from "@tensorflow/tfjs";
import { packBatch, type TokenBatch } from "../nn/batch.ts";
import type { Head } from "../nn/network.ts";
import type { Loss } from "../tasks/task.ts";
import { answerLogits, answerRowsOf, answerTokenLogProbs, candidateMeans } from "./answerRows.ts";
import { readRows, sharedPrompts, tokensOf } from "./candidateScores.ts";
import type { LabelledBatch } from "./encode.ts";
import { rightAnswers } from "./losses.ts";
import { passesOf } from "./passes.ts";

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
