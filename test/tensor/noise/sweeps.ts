import { type Distribution, type NoiseKey, wholeStretch } from "../../../src/tensor/noise/key.ts";
import { moveMany } from "../../../src/tensor/noise/sweep.ts";
import type { Source } from "../../../src/tensor/source.ts";

/** An array, the key of its z, and the factor that its elements are multiplied by first. */
export interface SweepEntry {
  readonly theta: Source;
  readonly key: NoiseKey;
  readonly keep?: number;
}

/** One move of every array, by `move` or the kit's own. */
export function sweepMany(
  entries: readonly SweepEntry[],
  scale: number,
  law: Distribution,
  move: typeof moveMany = moveMany,
): void {
  move(entries.map(({ theta, key, keep = 1 }) => wholeStretch(theta, [{ key, scale, keep }], law)));
}
