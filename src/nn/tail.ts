import type { TokenBatch } from "./batch.ts";

/** The tokens of a batch that the last layer is computed for: every sequence's from the first one that is read on. */
export interface Tail {
  readonly batch: TokenBatch;
  /** Their rows in the whole batch. */
  readonly rows: Int32Array;
  /** Where the rows that were asked for stand among them, in the order asked. */
  readonly at: Int32Array;
}

/** The tail of a batch for rows counting its tokens from 0; of a sequence that is not read at all, its last token. */
export function tailOf({ ids, lengths, starts }: TokenBatch, rows: ArrayLike<number>): Tail {
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
