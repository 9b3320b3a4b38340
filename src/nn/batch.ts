import * as tf from "@tensorflow/tfjs-core";

/** Sequences of token ids that lie one after another, without padding. */
export interface TokenBatch {
  /** [tokens] */
  readonly ids: Int32Array;
  /** The sequences' lengths, in order. */
  readonly lengths: readonly number[];
  /** Position of each sequence's first token: 0 where left out. Tokens whose keys are cached shift positions; an adaptation may too. */
  readonly starts?: readonly number[];
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
export function lastTokens({ lengths }: Pick<TokenBatch, "lengths">): Int32Array {
  let end = 0;
  return Int32Array.from(lengths, (length) => {
    end += length;
    return end - 1;
  });
}

/** Position of every token in its sequence, plus `offset`: an int32 tensor [tokens]. */
export function positionTensor(batch: TokenBatch, offset: number): tf.Tensor1D {
  return tf.tensor1d(
    listPositions(batch).map((position) => position + offset),
    "int32",
  );
}

/** Position of every token in its sequence: [tokens]. */
export function listPositions({ ids, lengths, starts }: TokenBatch): Int32Array {
  const positions = new Int32Array(ids.length);
  let at = 0;
  lengths.forEach((length, sequence) => {
    const start = starts?.[sequence] ?? 0;
    for (let i = 0; i < length; i++) positions[at++] = start + i;
  });
  return positions;
}

/** The tokens of a batch that the last layer is computed for: of every sequence those from the first one that is read. */
export interface Tail {
  readonly batch: TokenBatch;
  /** Their rows in the whole batch. */
  readonly rows: Int32Array;
  /** The requested rows' places among them, in the order requested. */
  readonly at: Int32Array;
}

/** The tail of a batch for rows that count its tokens from 0. A sequence that is not read at all keeps its last token. */
export function findTail({ ids, lengths, starts }: TokenBatch, rows: ArrayLike<number>): Tail {
  const firsts = firstRows(lengths, rows);
  const kept: number[] = [];
  const place = new Int32Array(ids.length);
  let end = 0;
  const counts = lengths.map((length, i) => {
    end += length;
    for (let row = firsts[i]!; row < end; row++) place[row] = kept.push(row) - 1;
    return end - firsts[i]!;
  });
  const batch = {
    ids: Int32Array.from(kept, (row) => ids[row]!),
    lengths: counts,
    starts: lengths.map((length, i) => (starts?.[i] ?? 0) + length - counts[i]!),
  };
  return { batch, rows: Int32Array.from(kept), at: Int32Array.from(rows, (row) => place[row]!) };
}

/** The first row of each sequence that is read, else its last row. */
function firstRows(lengths: readonly number[], rows: ArrayLike<number>): number[] {
  const ascending = Int32Array.from(rows).sort();
  let [end, next] = [0, 0];
  return lengths.map((length) => {
    end += length;
    const first = next < ascending.length && ascending[next]! < end ? ascending[next]! : end - 1;
    while (next < ascending.length && ascending[next]! < end) next++;
    return first;
  });
}
