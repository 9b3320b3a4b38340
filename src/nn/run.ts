import * as tf from "@tensorflow/tfjs-core";
import { embed } from "../kernels/embed.ts";
import { findTail, type Tail, type TokenBatch } from "./batch.ts";
import type { Corrections, KeysValues, LayerContext, Network } from "./network.ts";

/** What a layer may be run with beside its input and the batch. */
export interface LayerExtras {
  /** Keys and values of the tokens before; a prefix, where there is one, is among them. */
  readonly past?: KeysValues | undefined;
  readonly keep?: (present: KeysValues) => void;
  /** The tokens whose results are wanted, where not all are. */
  readonly tail?: Tail | undefined;
}

/** A batch whose tokens have the positions that an adaptation gives them. */
export function placeTokens({ adaptation }: Network, batch: TokenBatch): TokenBatch {
  const { firstPosition: first = 0 } = adaptation ?? {};
  return first === 0 ? batch : { ...batch, starts: batch.lengths.map((_, i) => (batch.starts?.[i] ?? 0) + first) };
}

/** What the first layer sees of an adapted network: [tokens, width]. */
export function runEmbedding(network: Network, batch: TokenBatch): tf.Tensor2D {
  return network.embedding(batch, findCorrections(network));
}

/** One layer of an adapted network: x [tokens, width] gives [wanted tokens, width]. Intermediate tensors are the caller's to tidy. */
export function runLayer(
  network: Network,
  index: number,
  x: tf.Tensor,
  batch: TokenBatch,
  { past, keep, tail }: LayerExtras = {},
): tf.Tensor2D {
  const before = past ?? repeatPrefix(network, index, batch);
  const context: LayerContext = {
    ...{ batch, correction: findCorrections(network), queries: tail?.batch ?? batch, wanted: wantedRows(tail) },
    ...(before && { past: before }),
    ...(keep && { keep }),
  };
  return network.layers[index]!.run(x, context);
}

const findCorrections = ({ adaptation }: Network): Corrections => adaptation?.correction ?? (() => undefined);

const wantedRows = (tail: Tail | undefined): LayerContext["wanted"] =>
  tail ? (x) => embed(tf.tensor1d(tail.rows, "int32"), x) : (x) => x;

/** The prefix of a layer as every sequence's past, where the adaptation has one. */
function repeatPrefix({ adaptation }: Network, layer: number, { lengths }: TokenBatch): KeysValues | undefined {
  const prefix = adaptation?.prefix?.(layer);
  if (!prefix) return;
  const length = prefix.keys.shape[0]!;
  const ids = tf.tensor1d(
    lengths.flatMap(() => Array.from({ length }, (_, i) => i)),
    "int32",
  );
  return {
    keys: embed(ids, prefix.keys),
    values: embed(ids, prefix.values),
    lengths: lengths.map(() => length),
  };
}

/** The requested rows of the last layer's result, as the output matrix sees them: [rows, width of the head]. */
export function runOutput(network: Network, x: tf.Tensor, rows: ArrayLike<number>): tf.Tensor2D {
  return network.output(embed(tf.tensor1d(Int32Array.from(rows), "int32"), x), findCorrections(network));
}

/** What the output matrix sees at some tokens of a batch, `rows` counting its tokens from 0: [rows, width of the head]. Differentiable. */
export function features(network: Network, tokens: TokenBatch, rows: ArrayLike<number>): tf.Tensor2D {
  const batch = placeTokens(network, tokens);
  const tail = findTail(batch, rows);
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
  readonly present: readonly KeysValues[];
}

/**
 * `features` of tokens that continue sequences whose keys and values are given, one KeysValues a layer, whose sequences are the batch's in
 * order. Without `past` the sequences begin here, and a prefix becomes part of `present`. The past ones are left as they are.
 */
export function featuresWithCache(
  network: Network,
  tokens: TokenBatch,
  rows: ArrayLike<number>,
  past?: readonly KeysValues[],
): CachedFeatures {
  const batch = placeTokens(network, tokens);
  const present: KeysValues[] = [];
  const tail = findTail(batch, rows);
  let x = tf.tidy(() => runEmbedding(network, batch));
  for (let i = 0; i < network.layers.length; i++) {
    const next = tf.tidy(() => {
      let seen: KeysValues | undefined;
      const keep = (kept: KeysValues): void => {
        seen = kept;
      };
      const extras = { past: past?.[i], keep, tail: isLast(network, i) ? tail : undefined };
      return { y: runLayer(network, i, x, batch, extras), seen } as unknown as tf.TensorContainer;
    }) as unknown as { readonly y: tf.Tensor2D; readonly seen: KeysValues };
    present.push(next.seen);
    x = replace(x, next.y);
  }
  const result = tf.tidy(() => runOutput(network, x, tail.at));
  return { features: replace(x, result), present };
}

/** Whether only `rows` of this layer's result are read. */
const isLast = ({ layers }: Network, layer: number): boolean => layer === layers.length - 1;

/** Disposes of the old value, unless a gradient may still need it: TensorFlow.js keeps those itself. */
function replace(old: tf.Tensor, next: tf.Tensor2D): tf.Tensor2D {
  old.dispose();
  return next;
}
