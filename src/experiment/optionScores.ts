import * as tf from "@tensorflow/tfjs";
import { embed } from "../kernels/embed.ts";
import { linear } from "../kernels/linear.ts";
import { tokenLogProbs } from "../kernels/tokenLogProbs.ts";
import { lastTokens, packBatch } from "../nn/batch.ts";
import type { Network } from "../nn/network.ts";
import { type Candidate, type EncodedExample, type SharedPrompt, sharedPrompt } from "../text/prompt.ts";

/** Most tokens in one forward pass: bounds the activations, whatever the number of examples. */
const TOKENS_PER_PASS = 4096;

/**
 * Log-probabilities of every candidate's answer tokens, [examples][candidates][tokens of the answer]. Where all candidates are one
 * token after the same prompt, one pass over the prompt serves them all, and the values are logits: the same up to a constant per
 * example, which neither the choice nor the cross entropy over candidates sees.
 */
export function answerScores(network: Network, examples: readonly EncodedExample[]): number[][][] {
  const shared = examples.map(sharedPrompt);
  if (shared.every((s) => s !== undefined && String(s.answers) === String(shared[0]!.answers))) {
    return sharedScores(network, shared as SharedPrompt[]).map((logits) => logits.map((logit) => [logit]));
  }
  const rows = answerLogProbs(
    network,
    examples.flatMap(({ candidates }) => candidates),
  );
  let at = 0;
  return examples.map(({ candidates }) => candidates.map(() => rows[at++]!));
}

/** Logits of the answers after each prompt, [prompts][answers]: only the answers' rows of the output matrix are used. */
function sharedScores(network: Network, prompts: readonly SharedPrompt[]): number[][] {
  return inPasses(
    prompts,
    ({ ids }) => ids.length,
    (part) =>
      tf.tidy(() => {
        const batch = packBatch(part.map(({ ids }) => ids));
        const rows = embed(tf.tensor1d(lastTokens(batch), "int32"), network.features(batch));
        const answers = embed(tf.tensor1d([...part[0]!.answers], "int32"), network.head);
        return linear(rows, answers).arraySync();
      }),
  );
}

/** Log-probability of every answer token of each candidate, [candidates][tokens of the answer]. */
export function answerLogProbs(network: Network, candidates: readonly Candidate[]): number[][] {
  return inPasses(
    candidates,
    ({ ids }) => ids.length - 1,
    (part) =>
      tf.tidy(() => {
        const batch = packBatch(part.map(({ ids }) => ids.subarray(0, -1)));
        const ends = lastTokens(batch);
        const rows = part.flatMap(({ optionLength: k }, i) =>
          Array.from({ length: k }, (_, j) => ends[i]! - k + 1 + j),
        );
        const targets = part.flatMap(({ ids, optionLength }) => [...ids.subarray(-optionLength)]);
        const features = embed(tf.tensor1d(rows, "int32"), network.features(batch));
        const scores = tokenLogProbs(features, network.head, tf.tensor1d(targets, "int32")).arraySync();
        let end = 0;
        return part.map(({ optionLength }) => {
          end += optionLength;
          return scores.slice(end - optionLength, end);
        });
      }),
  );
}

/** Maps items to results in passes of bounded size, sorted by length so that equals stand together; results in the items' order. */
function inPasses<Item, Result>(
  items: readonly Item[],
  lengthOf: (item: Item) => number,
  pass: (part: readonly Item[]) => Result[],
): Result[] {
  const order = items.map((_, i) => i).sort((a, b) => lengthOf(items[a]!) - lengthOf(items[b]!) || a - b);
  const results: Result[] = new Array(items.length);
  for (let from = 0; from < order.length; ) {
    let to = from;
    for (
      let tokens = 0;
      to < order.length && (to === from || tokens + lengthOf(items[order[to]!]!) <= TOKENS_PER_PASS);
      to++
    )
      tokens += lengthOf(items[order[to]!]!);
    const part = order.slice(from, to);
    pass(part.map((i) => items[i]!)).forEach((result, i) => {
      results[part[i]!] = result;
    });
    from = to;
  }
  return results;
}
