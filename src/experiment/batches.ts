import { shuffle } from "../tasks/shuffle.ts";
import type { LabelledBatch } from "./losses.ts";

/**
 * Batches without end: the examples are shuffled anew for every pass over them, and a pass ends with a shorter batch where the size
 * does not divide it, as the authors' loader does. Batch `step` depends on seed and step alone.
 */
export function batches(
  { examples, gold }: LabelledBatch,
  size: number,
  seed: number,
): (step: number) => LabelledBatch {
  const perEpoch = Math.ceil(examples.length / size);
  let epoch = -1;
  let order: readonly number[] = [];
  return (step) => {
    if (Math.floor(step / perEpoch) !== epoch) {
      epoch = Math.floor(step / perEpoch);
      order = shuffle([...examples.keys()], `batches/${seed}/${epoch}`);
    }
    const at = (step % perEpoch) * size;
    const rows = order.slice(at, at + size);
    return { examples: rows.map((i) => examples[i]!), gold: rows.map((i) => gold[i]!) };
  };
}
