/** Divides `count` into blocks of nearly equal size, none above `most`, each beginning at a multiple of `grain`: where each begins and ends. */
export function evenBlocks(count: number, most: number, grain = 1): [from: number, to: number][] {
  const blocks = Math.max(1, Math.ceil(count / most));
  const at = (i: number): number => (i === blocks ? count : grain * Math.round((i * count) / blocks / grain));
  return Array.from({ length: blocks }, (_, i) => [at(i), at(i + 1)]);
}
