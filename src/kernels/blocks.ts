import type { View } from "../tensor/native/session.ts";

/** Rows of one product: with many more, the result and its partial sums leave the caches between the passes over them. */
export const ROWS_AT_ONCE = 1024;

/** Divides `count` into blocks of nearly equal size, none above `most`, each beginning at a multiple of `grain`: where each begins and ends. */
export function evenBlocks(count: number, most: number, grain = 1): [from: number, to: number][] {
  const blocks = Math.max(1, Math.ceil(count / most));
  const at = (i: number): number => (i === blocks ? count : grain * Math.round((i * count) / blocks / grain));
  return Array.from({ length: blocks }, (_, i) => [at(i), at(i + 1)]);
}

/** Rows `from` up to `to` of a matrix, where they are. */
export function someRows({ values, shape }: View, from: number, to: number): View {
  const width = shape[1]!;
  return { values: values.subarray(from * width, to * width), shape: [to - from, width] };
}
