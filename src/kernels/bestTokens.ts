import * as tf from "@tensorflow/tfjs-core";
import { filledTensor, nativeKernel } from "../tensor/native/backend.ts";
import { withScratch } from "../tensor/native/pool.ts";
import type { View } from "../tensor/native/session.ts";
import { fused } from "../tensor/trace.ts";
import { linear } from "./linear.ts";
import { viewInputs } from "./sides.ts";
import { eachLogitBlock, type LogitBlock } from "./vocabularyTiles.ts";

/**
 * The likeliest token after each row: features [rows, width], the output matrix `table` [vocabulary, width] and the bias [vocabulary] of
 * models that have one give ids [rows], the first of equals. On the native backend the matrix is used a tile of its rows at a time, so
 * that neither the logits of the whole vocabulary nor, of a matrix in 16 bits, all of it in float32 are ever held.
 */
export function bestTokens(features: tf.Tensor, table: tf.Tensor, bias?: tf.Tensor): tf.Tensor1D {
  return fused("BestTokens", { features, table, ...(bias && { bias }) }, {}, (given) => {
    const logits = linear(given.features, given.table, given.bias ? { bias: given.bias } : {});
    return tf.cast(tf.argMax(logits, -1), "float32") as tf.Tensor1D;
  });
}

nativeKernel("BestTokens", ({ inputs }) => {
  const rows = inputs.features!.shape[0]!;
  const top = new Float32Array(rows).fill(Number.NEGATIVE_INFINITY);
  return filledTensor([rows], ({ values: best }) => {
    best.fill(0); // where no logit is a number
    withScratch((scratch) => {
      const side = viewInputs(inputs, ["features", "bias"]);
      eachLogitBlock({ tensor: inputs.table! }, [side], scratch, (block) => raise(top, best, block));
    });
  });
});

/** Takes the tokens of a block whose logits are above the highest before them. */
function raise(top: Float32Array, best: View["values"], { first, from, sides: [logits] }: LogitBlock): void {
  const { values, shape } = logits!;
  const tokens = shape[1]!;
  for (let i = 0; i < values.length; i++) {
    const row = first + Math.floor(i / tokens);
    if (!(values[i]! > top[row]!)) continue;
    top[row] = values[i]!;
    best[row] = from + (i % tokens);
  }
}
