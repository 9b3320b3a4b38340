import { keep, release, type Value } from "../../tensor/tensorflow/operations.ts";

/** Bytes that values which are used again and again may take together. */
const MOST_BYTES = 64 * 2 ** 20;

const kept = new Map<unknown, readonly Value[]>();
let bytes = 0;

const bytesOf = (values: readonly Value[]): number =>
  values.reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);

/** Values that are made once for a key (a text, or an object itself). Those not asked for the longest make room for new ones. */
export function keptFor(key: unknown, make: () => readonly Value[]): readonly Value[] {
  const known = kept.get(key);
  kept.delete(key);
  const values = known ?? make().map(keep);
  if (!known) bytes += bytesOf(values);
  kept.set(key, values);
  for (const [old, stale] of kept) {
    if (bytes <= MOST_BYTES || old === key) break;
    stale.forEach(release);
    bytes -= bytesOf(stale);
    kept.delete(old);
  }
  return values;
}
