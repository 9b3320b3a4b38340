import * as tf from "@tensorflow/tfjs";
import type { TokenBatch } from "./batch.ts";
import type { Network, Past } from "./network.ts";
import { placed, runEmbedding, runLayer, runOutput } from "./stages.ts";
import { tailOf } from "./tail.ts";

/** What the output matrix sees at some tokens of a batch, `rows` counting its tokens from 0: [rows, width of the head]. Differentiable. */
export function features(network: Network, tokens: TokenBatch, rows: ArrayLike<number>): tf.Tensor2D {
  const batch = placed(network, tokens);
  const tail = tailOf(batch, rows);
  let x = tf.tidy(() => runEmbedding(network, batch));
  for (let i = 0; i < network.layers.length; i++) {
    const next = tf.tidy(() => runLayer(network, i, x, batch, { tail: isLast(network, i) ? tail : undefined }));
    x = replace(x, next);
  }
  return replace(
    x,
    tf.tidy(() => runOutput(network, x, tail.at)),
  );
}

/** Features, and each layer's keys and values for the batch's tokens and those before; both are the caller's to dispose of. */
export interface CachedFeatures {
  readonly features: tf.Tensor2D;
  readonly present: readonly Past[];
}

/**
 * `features` of tokens that continue sequences whose keys and values are at hand, one Past a layer; its sequences are the batch's,
 * in order. Without `past` the sequences begin here, and a prefix becomes part of `present`. The past ones are left as they are.
 */
export function featuresWithCache(
  network: Network,
  tokens: TokenBatch,
  rows: ArrayLike<number>,
  past?: readonly Past[],
): CachedFeatures {
  const batch = placed(network, tokens);
  const present: Past[] = [];
  const tail = tailOf(batch, rows);
  let x = tf.tidy(() => runEmbedding(network, batch));
  for (let i = 0; i < network.layers.length; i++) {
    const next = tf.tidy(() => {
      let seen: Past | undefined;
      const keep = (kept: Past): void => {
        seen = kept;
      };
      const extras = { past: past?.[i], keep, tail: isLast(network, i) ? tail : undefined };
      return { y: runLayer(network, i, x, batch, extras), seen } as unknown as tf.TensorContainer;
    }) as unknown as { readonly y: tf.Tensor2D; readonly seen: Past };
    present.push(next.seen);
    x = replace(x, next.y);
  }
  const result = tf.tidy(() => runOutput(network, x, tail.at));
  return { features: replace(x, result), present };
}

/** The layer whose result only `rows` are read of. */
const isLast = ({ layers }: Network, layer: number): boolean => layer === layers.length - 1;

/** Disposes of the old value, unless a gradient may still need it: TensorFlow.js keeps those itself. */
function replace(old: tf.Tensor, next: tf.Tensor2D): tf.Tensor2D {
  old.dispose();
  return next;
}
