import * as tf from "@tensorflow/tfjs";

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

/** The values of the tensor that `make` computes, read without blocking a GPU; all tensors made on the way are gone. */
export async function valuesOf(make: () => tf.Tensor): Promise<Float32Array> {
  const tensor = tf.tidy(make);
  try {
    return (await tensor.data()) as Float32Array;
  } finally {
    tensor.dispose();
  }
}

/** One forward pass, and what its numbers say of each of its items. */
export interface Pass<Result> {
  readonly items: readonly number[];
  /** Made of fused operations alone; its intermediate tensors are the caller's to tidy. */
  readonly run: () => tf.Tensor;
  readonly read: (values: Float32Array) => readonly Result[];
}

/** Results for some items, from forward passes that are independent of one another. */
export interface Scoring<Result> {
  readonly passes: readonly Pass<Result>[];
  /** Tensors that the passes share, to be freed after the last of them. */
  readonly shared: readonly tf.Tensor[];
}

/** Runs the passes: results in the items' order. */
export async function resultsOf<Result>({ passes, shared }: Scoring<Result>): Promise<Result[]> {
  try {
    const values: Float32Array[] = [];
    for (const { run } of passes) values.push(await valuesOf(run));
    return inOrder(passes, values);
  } finally {
    tf.dispose([...shared]);
  }
}

/** The results that the passes' values say, in the items' order. */
export function inOrder<Result>(passes: readonly Pass<Result>[], values: readonly Float32Array[]): Result[] {
  const results: Result[] = [];
  passes.forEach(({ items, read }, i) => {
    read(values[i]!).forEach((result, j) => {
      results[items[j]!] = result;
    });
  });
  return results;
}
