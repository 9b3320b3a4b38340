import * as tf from "@tensorflow/tfjs";

/** Sequences of token ids that lie one after another, without padding. */
export interface TokenBatch {
  /** [tokens] */
  readonly ids: Int32Array;
  /** The sequences' lengths, in order. */
  readonly lengths: readonly number[];
}

/** Packs sequences in the order given. Sorting them by length beforehand saves time in attention. */
export function packBatch(sequences: readonly (readonly number[] | Int32Array)[]): TokenBatch {
  const lengths = sequences.map((s) => s.length);
  const ids = new Int32Array(lengths.reduce((a, b) => a + b, 0));
  let at = 0;
  for (const sequence of sequences) {
    ids.set(sequence, at);
    at += sequence.length;
  }
  return { ids, lengths };
}

/** Index of each sequence's last token in the packed batch: [sequences]. */
export function lastTokens({ lengths }: TokenBatch): Int32Array {
  let end = 0;
  return Int32Array.from(lengths, (length) => {
    end += length;
    return end - 1;
  });
}

/** Position of every token in its sequence, from 0, plus `offset`: an int32 tensor [tokens]. */
export function positionsOf({ ids, lengths }: TokenBatch, offset: number): tf.Tensor1D {
  const positions = new Int32Array(ids.length);
  let at = 0;
  for (const length of lengths) for (let i = 0; i < length; i++) positions[at++] = i + offset;
  return tf.tensor1d(positions, "int32");
}
