import * as tf from "@tensorflow/tfjs";
import { embed } from "../kernels/embed.ts";
import { linear } from "../kernels/linear.ts";
import { tokenLogProbs } from "../kernels/tokenLogProbs.ts";
import type { Head } from "../nn/network.ts";
import type { Candidate } from "../text/prompt.ts";

/** Stands where an example has fewer candidates than others of its pass: no softmax sees it. */
const NO_CANDIDATE = -1e9;

/** Logits of the answers after each feature row, [rows, answers]: only the answers' rows of the output matrix are used. */
export function answerLogits(features: tf.Tensor2D, head: Head, answers: readonly number[]): tf.Tensor2D {
  const ids = tf.tensor1d([...answers], "int32");
  return linear(features, embed(ids, head.weight), head.bias ? { bias: embed(ids, head.bias) } : {});
}

/** Rows that candidates' answer tokens are read from, where each takes up `lengths[i]` rows of a packed batch and ends before its last token. */
export function answerRowsOf(candidates: readonly Candidate[], lengths: readonly number[]): number[] {
  let end = 0;
  return candidates.flatMap(({ optionLength: k }, i) => {
    end += lengths[i]!;
    return Array.from({ length: k }, (_, j) => end - k + j);
  });
}

/** Log-probability of every answer token of the candidates, [tokens of all answers], from the features at `answerRowsOf`. */
export function answerTokenLogProbs(features: tf.Tensor2D, head: Head, candidates: readonly Candidate[]): tf.Tensor1D {
  const targets = candidates.flatMap(({ ids, optionLength }) => [...ids.subarray(-optionLength)]);
  return tokenLogProbs(features, head.weight, tf.tensor1d(targets, "int32"), head.bias);
}

/** The values of all answer tokens, candidate by candidate: [candidates][tokens of the answer]. */
export function answersOf(values: Float32Array, candidates: readonly Candidate[]): number[][] {
  let end = 0;
  return candidates.map(({ optionLength }) => {
    end += optionLength;
    return [...values.subarray(end - optionLength, end)];
  });
}

/**
 * Mean log-probability of each candidate's answer tokens, [examples, most candidates], from all their tokens' [tokens];
 * `groups[i]` are the candidates of example i.
 */
export function candidateMeans(tokens: tf.Tensor1D, groups: readonly (readonly Candidate[])[]): tf.Tensor2D {
  const candidates = groups.flat();
  const owner = candidates.flatMap(({ optionLength }, i) => Array<number>(optionLength).fill(i));
  const share = candidates.flatMap(({ optionLength: k }) => Array<number>(k).fill(1 / k));
  const means = tf.unsortedSegmentSum(tf.mul(tokens, share), tf.tensor1d(owner, "int32"), candidates.length);
  const most = Math.max(...groups.map((group) => group.length));
  let at = 0;
  const places = groups.flatMap((group) =>
    Array.from({ length: most }, (_, i) => (i < group.length ? at++ : candidates.length)),
  );
  const padded = tf.concat([means as tf.Tensor1D, tf.tensor1d([NO_CANDIDATE])]);
  return tf.reshape(tf.gather(padded, tf.tensor1d(places, "int32")), [groups.length, most]) as tf.Tensor2D;
}
