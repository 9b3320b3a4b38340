import * as tf from "@tensorflow/tfjs";
import { valuesOf } from "./read.ts";

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
