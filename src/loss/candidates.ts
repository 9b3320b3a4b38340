import * as tf from "@tensorflow/tfjs";
import { KitError } from "../error.ts";
import { embed } from "../kernels/embed.ts";
import { linear } from "../kernels/linear.ts";
import { tokenLogProbs } from "../kernels/tokenLogProbs.ts";
import { lastTokens, packBatch, type TokenBatch } from "../nn/batch.ts";
import type { Head, KeysValues, Network } from "../nn/network.ts";
import { features, featuresWithCache } from "../nn/run.ts";
import type { Candidate, EncodedExample, SharedPrompt } from "../text/prompt.ts";
import { passesOf, resultsOf, type Scoring } from "./passes.ts";

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

/** Shorter than this, computing a shared beginning again costs less than keeping it. */
const LEAST_TOKENS = 16;

/** A beginning that sequences share, run once: its keys and values, one KeysValues a layer, each of one sequence. */
export interface Root {
  readonly length: number;
  readonly past: readonly KeysValues[];
}

/** How many tokens all sequences begin with, leaving each at least `own[i]` tokens; 0 where that is too few to keep. */
export function sharedLength(sequences: readonly Int32Array[], own: (i: number) => number): number {
  const first = sequences[0]!;
  let length = Math.min(...sequences.map((ids, i) => ids.length - own(i)));
  for (const ids of sequences) {
    let same = 0;
    while (same < length && ids[same] === first[same]) same++;
    length = same;
  }
  return length >= LEAST_TOKENS ? length : 0;
}

/** Runs a beginning once. The caller disposes of the past. */
export function rootOf(network: Network, ids: Int32Array): Root {
  const { features, present: past } = featuresWithCache(network, packBatch([ids]), [ids.length - 1]);
  features.dispose();
  return { length: ids.length, past };
}

/** The pasts of some sequences, in the order of `which`, each as often as it stands there. */
export function choosePast(past: readonly KeysValues[], which: readonly number[]): KeysValues[] {
  return past.map(({ keys, values, lengths }) => {
    const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((a, b) => a + b, 0));
    const rows = which.flatMap((i) => Array.from({ length: lengths[i]! }, (_, j) => starts[i]! + j));
    const ids = tf.tensor1d(rows, "int32");
    return { keys: embed(ids, keys), values: embed(ids, values), lengths: which.map((i) => lengths[i]!) };
  });
}

/** Sequences without what a root has run of them, packed, their positions counted on. */
export function packAfter(root: Root | undefined, sequences: readonly Int32Array[]): TokenBatch {
  if (!root) return packBatch(sequences);
  const rest = sequences.map((ids) => ids.subarray(root.length));
  return { ...packBatch(rest), starts: sequences.map(() => root.length) };
}

/**
 * Mean log-probability of each candidate's answer tokens, [examples][candidates]. Where all candidates are one token at the same
 * place, one pass over the prompt serves them all, and the values are logits: the same up to a constant per example, which neither
 * the choice nor the cross entropy over candidates sees. What such prompts begin with in common (the same demonstrations, for
 * example) is computed once, and of longer candidates what an example's have in common.
 */
export async function candidateScores(network: Network, examples: readonly EncodedExample[]): Promise<number[][]> {
  return resultsOf(candidateScoring(network, examples));
}

/** The passes that `candidateScores` runs. */
export function candidateScoring(network: Network, examples: readonly EncodedExample[]): Scoring<number[]> {
  const shared = sharedPrompts(examples);
  if (shared) return logitsAfterPrompts(network, shared);
  if (examples.some(({ candidates }) => candidates.length === 0))
    throw new KitError(
      "Masks were to be filled from options that differ between rows: give all rows the same options, or put the task to an autoregressive model.",
    );
  const passes = passesOf(examples.map(tokensOf)).map((items) => {
    const groups = items.map((i) => examples[i]!.candidates);
    return {
      items,
      run: () => answerTokenLogProbs(candidateFeatures(network, groups), network.head, groups.flat()),
      read: (values: Float32Array) => meansOf(values, groups),
    };
  });
  return { passes, shared: [] };
}

/** Mean log-probability of each candidate's tokens, [examples][candidates]. */
function meansOf(values: Float32Array, groups: readonly (readonly Candidate[])[]): number[][] {
  const means = answersOf(values, groups.flat()).map((of) => of.reduce((a, b) => a + b, 0) / of.length);
  return groups.map((group) => means.splice(0, group.length));
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
export function tokensOf({ candidates }: EncodedExample): number {
  return candidates.reduce((sum, { ids }) => sum + ids.length - 1, 0);
}

function logitsAfterPrompts(network: Network, prompts: readonly SharedPrompt[]): Scoring<number[]> {
  const root = beginning(network, prompts);
  const lengths = prompts.map(({ ids }) => ids.length); // with the root's copies, which take up as much as their tokens
  const passes = passesOf(lengths).map((items) => {
    const part = items.map((i) => prompts[i]!);
    return {
      items,
      run: () => logitsAfter(network, root, part),
      read: (values: Float32Array) => perPrompt(values, part),
    };
  });
  return { passes, shared: root?.past.flatMap(({ keys, values }) => [keys, values]) ?? [] };
}

/** The logits of each prompt's answers. */
function perPrompt(values: Float32Array, prompts: readonly SharedPrompt[]): number[][] {
  return prompts.map(({ answers: { length } }, i) => [...values.subarray(i * length, (i + 1) * length)]);
}

function beginning(network: Network, prompts: readonly SharedPrompt[]): Root | undefined {
  if (network.prompts === "masked" || prompts.length < 2) return undefined;
  const length = sharedLength(
    prompts.map(({ ids }) => ids),
    () => 1,
  );
  return length > 0 ? rootOf(network, prompts[0]!.ids.subarray(0, length)) : undefined;
}

function logitsAfter(network: Network, root: Root | undefined, prompts: readonly SharedPrompt[]): tf.Tensor2D {
  const batch = packAfter(
    root,
    prompts.map(({ ids }) => ids),
  );
  const rows = readRows(prompts, batch.lengths);
  const first = prompts.map(() => 0);
  const seen = root
    ? featuresWithCache(network, batch, rows, choosePast(root.past, first)).features
    : features(network, batch, rows);
  return answerLogits(seen, network.head, prompts[0]!.answers);
}

/** Rows of a packed batch that the answers are read from: `at` counted from each sequence's end, since its beginning may be elsewhere. */
export function readRows(prompts: readonly SharedPrompt[], lengths: readonly number[]): number[] {
  const ends = lastTokens({ lengths });
  return prompts.map(({ ids, at }, i) => ends[i]! - (ids.length - 1 - at));
}

/** Features at all answer tokens of the examples' candidates: what each example's candidates begin with is run once. */
function candidateFeatures(network: Network, groups: readonly (readonly Candidate[])[]): tf.Tensor2D {
  const candidates = groups.flat();
  const shared = groups.map((group) =>
    sharedLength(
      group.map(({ ids }) => ids),
      (i) => group[i]!.optionLength + 1,
    ),
  );
  if (shared.includes(0) || groups.every((group) => group.length === 1)) {
    const batch = packBatch(candidates.map(({ ids }) => ids.subarray(0, -1)));
    return features(network, batch, answerRowsOf(candidates, batch.lengths));
  }
  const prompts = packBatch(groups.map((group, i) => group[0]!.ids.subarray(0, shared[i])));
  const { present } = featuresWithCache(network, prompts, lastTokens(prompts));
  const owners = groups.flatMap((group, i) => group.map(() => i));
  const rest = packBatch(candidates.map(({ ids }, i) => ids.subarray(shared[owners[i]!]!, -1)));
  const batch = { ...rest, starts: owners.map((i) => shared[i]!) };
  const rows = answerRowsOf(candidates, batch.lengths);
  const { features: seen } = featuresWithCache(network, batch, rows, choosePast(present, owners));
  tf.dispose(present.flatMap(({ keys, values }) => [keys, values]));
  return seen;
}
