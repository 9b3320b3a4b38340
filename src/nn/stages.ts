import * as tf from "@tensorflow/tfjs";
import { embed } from "../kernels/embed.ts";
import type { TokenBatch } from "./batch.ts";
import type { Corrections, LayerContext, Network, Past } from "./network.ts";
import type { Tail } from "./tail.ts";

/** What a layer may be run with beside its input and the batch. */
export interface LayerExtras {
  /** Keys and values of the tokens before; a prefix, where there is one, is among them. */
  readonly past?: Past | undefined;
  readonly keep?: (present: Past) => void;
  /** The tokens whose results are wanted, where not all are. */
  readonly tail?: Tail | undefined;
}

/** A batch whose tokens have the positions that an adaptation gives them. */
export function placed({ adaptation }: Network, batch: TokenBatch): TokenBatch {
  const { firstPosition: first = 0 } = adaptation ?? {};
  return first === 0 ? batch : { ...batch, starts: batch.lengths.map((_, i) => (batch.starts?.[i] ?? 0) + first) };
}

/** What the first layer sees of an adapted network: [tokens, width]. */
export function runEmbedding(network: Network, batch: TokenBatch): tf.Tensor2D {
  return network.embedding(batch, correctionsOf(network));
}

/** One layer of an adapted network: x [tokens, width] gives [wanted tokens, width]. Intermediate tensors are the caller's to tidy. */
export function runLayer(
  network: Network,
  index: number,
  x: tf.Tensor,
  batch: TokenBatch,
  { past, keep, tail }: LayerExtras = {},
): tf.Tensor2D {
  const before = past ?? prefixOf(network, index, batch);
  const context: LayerContext = {
    ...{ batch, correction: correctionsOf(network), queries: tail?.batch ?? batch, wanted: wantedRows(tail) },
    ...(before && { past: before }),
    ...(keep && { keep }),
  };
  return network.layers[index]!.run(x, context);
}

const correctionsOf = ({ adaptation }: Network): Corrections => adaptation?.correction ?? (() => undefined);

const wantedRows = (tail: Tail | undefined): LayerContext["wanted"] =>
  tail ? (x) => embed(tf.tensor1d(tail.rows, "int32"), x) : (x) => x;

/** The prefix of a layer as every sequence's past, where the adaptation has one. */
function prefixOf({ adaptation }: Network, layer: number, { lengths }: TokenBatch): Past | undefined {
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

/** The rows asked for of the last layer's result, as the output matrix sees them: [rows, width of the head]. */
export function runOutput(network: Network, x: tf.Tensor, rows: ArrayLike<number>): tf.Tensor2D {
  return network.output(embed(tf.tensor1d(Int32Array.from(rows), "int32"), x), correctionsOf(network));
}
