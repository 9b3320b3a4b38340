import * as tf from "@tensorflow/tfjs";
import { embed } from "../kernels/embed.ts";
import { packBatch, type TokenBatch } from "../nn/batch.ts";
import { featuresWithCache } from "../nn/features.ts";
import type { Network, Past } from "../nn/network.ts";

/** Shorter than this, computing a shared beginning again costs less than keeping it. */
const LEAST_TOKENS = 16;

/** A beginning that sequences share, run once: its keys and values, one Past a layer, each of one sequence. */
export interface Root {
  readonly length: number;
  readonly past: readonly Past[];
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
export function choosePast(past: readonly Past[], which: readonly number[]): Past[] {
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
