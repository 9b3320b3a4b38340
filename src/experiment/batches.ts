import { shuffle } from "../tasks/shuffle.ts";
import type { LabelledBatch } from "./encode.ts";

/**
 * Batches without end: the examples are shuffled anew for every pass over them, and a pass ends with a shorter batch where the size
 * does not divide it, as the authors' loader does. Batch `step` depends on seed and step alone.
 */
export function batches(part: LabelledBatch, size: number, seed: number): (step: number) => LabelledBatch {
  const total = part.examples.length;
  const perEpoch = Math.ceil(total / size);
  let epoch = -1;
  let order: readonly number[] = [];
  return (step) => {
    if (Math.floor(step / perEpoch) !== epoch) {
      epoch = Math.floor(step / perEpoch);
      order = shuffle([...Array(total).keys()], `batches/${seed}/${epoch}`);
    }
    const at = (step % perEpoch) * size;
    return chosen(part, order.slice(at, at + size));
  };
}

/** A batch in equal pieces of at most `size` examples, in order. */
export function microBatches(batch: LabelledBatch, size: number): LabelledBatch[] {
  const indices = [...batch.examples.keys()];
  return Array.from({ length: Math.ceil(indices.length / size) }, (_, i) =>
    chosen(batch, indices.slice(i * size, (i + 1) * size)),
  );
}

function chosen({ examples, gold, texts, begin }: LabelledBatch, rows: readonly number[]): LabelledBatch {
  return {
    examples: rows.map((i) => examples[i]!),
    gold: rows.map((i) => gold[i]!),
    texts: rows.map((i) => texts[i]!),
    begin,
  };
}
