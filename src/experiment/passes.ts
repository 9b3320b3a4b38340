/** Most tokens in one forward pass: bounds the activations, whatever the number of examples. */
export const TOKENS_PER_PASS = 4096;

/**
 * Indices of the items in passes of bounded size, sorted by length so that equals stand together. An item alone is never divided.
 * `lengths` are the items' tokens.
 */
export function passesOf(lengths: readonly number[]): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const passes: number[][] = [];
  let tokens = Number.POSITIVE_INFINITY;
  for (const item of order) {
    tokens += lengths[item]!;
    if (tokens > TOKENS_PER_PASS) {
      passes.push([]);
      tokens = lengths[item]!;
    }
    passes.at(-1)!.push(item);
  }
  return passes;
}

/** Results in the items' order, made pass by pass. */
export async function inPasses<Result>(
  lengths: readonly number[],
  run: (items: readonly number[]) => Promise<readonly Result[]>,
): Promise<Result[]> {
  const results: Result[] = new Array(lengths.length);
  for (const items of passesOf(lengths)) {
    const made = await run(items);
    made.forEach((result, i) => {
      results[items[i]!] = result;
    });
  }
  return results;
}
