import * as tf from "@tensorflow/tfjs";
import { KitError } from "../error.ts";
import { lastTokens, packBatch } from "../nn/batch.ts";
import { features, featuresWithCache } from "../nn/features.ts";
import type { Network } from "../nn/network.ts";
import type { Candidate, EncodedExample, SharedPrompt } from "../text/prompt.ts";
import { answerLogits, answerRowsOf, answersOf, answerTokenLogProbs } from "./answerRows.ts";
import { passesOf } from "./passes.ts";
import { resultsOf, type Scoring } from "./scoring.ts";
import { choosePast, packAfter, type Root, rootOf, sharedLength } from "./sharedPrefix.ts";

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
