import * as tf from "@tensorflow/tfjs-core";
import { KitError } from "../error.ts";
import { embed } from "../kernels/embed.ts";
import { linear } from "../kernels/linear.ts";
import { tokenLogProbs } from "../kernels/tokenLogProbs.ts";
import { lastTokens } from "../nn/batch.ts";
import type { Head } from "../nn/network.ts";
import type { Candidate, EncodedExample, SharedPrompt } from "../text/prompt.ts";
import { divideByTokens, type Pass, type SharedBeginnings, sharedLength } from "./passes.ts";

/** Fills the table where an example has fewer candidates than others of its pass: a softmax gives it no probability. */
const NO_CANDIDATE = -1e9;

/**
 * Passes that give the mean log-probability of each candidate's answer tokens, [examples][candidates]. Where all candidates are one
 * token at the same place, one pass over the prompt serves them all, and the scores are logits: the same up to a constant per example,
 * which neither the choice nor the cross entropy over candidates sees. What such prompts begin with in common (the same
 * demonstrations, for example) is run once, and of longer candidates what an example's have in common. Throws a KitError where
 * masks have options that differ.
 */
export function candidatePasses(examples: readonly EncodedExample[]): Pass[] {
  const prompts = sharedPrompts(examples);
  if (prompts) return promptPasses(prompts);
  if (examples.some(({ candidates }) => candidates.length === 0))
    throw new KitError(
      "The options for the mask differ between rows: give all rows the same options, or choose an autoregressive model.",
    );
  return divideByTokens(examples.map(countTokens)).map((items) => {
    const groups = items.map((i) => examples[i]!.candidates);
    return {
      ...answerPass(items, groups),
      read: (values) => candidateMeans(values, groups),
      table: (tokens) => candidateMeanTable(tokens as tf.Tensor1D, groups),
    };
  });
}

/** Passes that give the log-probability of every answer token of each candidate, [candidates][tokens of the answer]. */
export function answerPasses(candidates: readonly Candidate[]): Pass[] {
  return divideByTokens(candidates.map(({ ids }) => ids.length - 1)).map((items) => {
    const own = items.map((i) => candidates[i]!);
    return {
      ...answerPass(
        items,
        own.map((candidate) => [candidate]),
      ),
      read: (values) => splitByAnswer(values, own),
      table: (tokens) => tokens,
    };
  });
}

/** The prompts of examples whose candidates are the same single tokens, else undefined. */
export function sharedPrompts(examples: readonly EncodedExample[]): readonly SharedPrompt[] | undefined {
  const prompts = examples.map(({ shared }) => shared);
  const answers = String(prompts[0]?.answers);
  return prompts.every((prompt) => prompt && String(prompt.answers) === answers)
    ? (prompts as SharedPrompt[])
    : undefined;
}

/** Tokens in the forward pass of an example's candidates. */
export function countTokens({ candidates }: EncodedExample): number {
  return candidates.reduce((sum, { ids }) => sum + ids.length - 1, 0);
}

/** Rows of packed prompts that the answers are read from: `at` counted from each prompt's end, since its beginning may be elsewhere. */
export function promptRows(prompts: readonly SharedPrompt[], lengths: readonly number[]): number[] {
  const ends = lastTokens({ lengths });
  return prompts.map(({ ids, at }, i) => ends[i]! - (ids.length - 1 - at));
}

/** Passes that give the logits of each prompt's answers, [prompts][answers]. */
function promptPasses(prompts: readonly SharedPrompt[]): Pass[] {
  const ids = prompts.map((prompt) => prompt.ids);
  const length = ids.length < 2 ? 0 : sharedLength(ids, Array<number>(ids.length).fill(1));
  const beginnings = length > 0 ? [ids[0]!.subarray(0, length)] : undefined;
  return divideByTokens(ids.map((one) => one.length)).map((items) => {
    const own = items.map((i) => prompts[i]!);
    const { answers } = own[0]!;
    return {
      items,
      sequences: items.map((i) => ids[i]!),
      shared: beginnings && { beginnings, which: items.map(() => 0) },
      rows: (lengths) => promptRows(own, lengths),
      scores: (features, head) => answerLogits(features, head, answers),
      read: (values) => own.map((_, i) => [...values.subarray(i * answers.length, (i + 1) * answers.length)]),
      table: (logits) => logits,
    };
  });
}

/** Logits of the answers after each feature row, [rows, answers]: only the answers' rows of the output matrix are used. */
function answerLogits(features: tf.Tensor2D, head: Head, answers: readonly number[]): tf.Tensor2D {
  const ids = tf.tensor1d([...answers], "int32");
  return linear(features, embed(ids, head.weight), head.bias ? { bias: embed(ids, head.bias) } : {});
}

/** A pass over the items' candidates: the log-probability of every answer token, [tokens of all answers]. */
function answerPass(
  items: readonly number[],
  groups: readonly (readonly Candidate[])[],
): Pick<Pass, "items" | "sequences" | "shared" | "rows" | "scores"> {
  const candidates = groups.flat();
  const targets = candidates.flatMap(({ ids, optionLength }) => [...ids.subarray(-optionLength)]);
  return {
    items,
    sequences: candidates.map(({ ids }) => ids.subarray(0, -1)),
    shared: shareWithinGroups(groups),
    rows: (lengths) => answerRows(candidates, lengths),
    scores: (features, head) => tokenLogProbs(features, head.weight, tf.tensor1d(targets, "int32"), head.bias),
  };
}

/** What each item's candidates begin with, where all items' candidates share something. */
function shareWithinGroups(groups: readonly (readonly Candidate[])[]): SharedBeginnings | undefined {
  if (groups.every((group) => group.length === 1)) return undefined;
  const beginnings = groups.map((group) => {
    const own = group.map(({ optionLength }) => optionLength + 1);
    const ids = group.map((candidate) => candidate.ids);
    return ids[0]!.subarray(0, sharedLength(ids, own));
  });
  if (beginnings.some(({ length }) => length === 0)) return undefined;
  return { beginnings, which: groups.flatMap((group, i) => group.map(() => i)) };
}

/** Rows of packed sequences that the answer tokens are read from: each ends before its candidate's last token. */
function answerRows(candidates: readonly Candidate[], lengths: readonly number[]): number[] {
  let end = 0;
  return candidates.flatMap(({ optionLength: k }, i) => {
    end += lengths[i]!;
    return Array.from({ length: k }, (_, j) => end - k + j);
  });
}

/** The values of all answer tokens, candidate by candidate: [candidates][tokens of the answer]. */
function splitByAnswer(values: Float32Array, candidates: readonly Candidate[]): number[][] {
  let end = 0;
  return candidates.map(({ optionLength }) => {
    end += optionLength;
    return [...values.subarray(end - optionLength, end)];
  });
}

/** Mean over each candidate's tokens, [examples][candidates]. */
function candidateMeans(values: Float32Array, groups: readonly (readonly Candidate[])[]): number[][] {
  const means = splitByAnswer(values, groups.flat()).map((of) => of.reduce((a, b) => a + b, 0) / of.length);
  return groups.map((group) => means.splice(0, group.length));
}

/** The same as a tensor, [examples, most candidates]. */
function candidateMeanTable(tokens: tf.Tensor1D, groups: readonly (readonly Candidate[])[]): tf.Tensor2D {
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
