import * as tf from "@tensorflow/tfjs-core";
import { filledTensor, findSource, nativeKernel, viewTensor } from "../tensor/native/backend.ts";
import { runGraph } from "../tensor/native/session.ts";
import { fused } from "../tensor/trace.ts";
import { linear, linearGraph } from "./linear.ts";
import { TILE_ROWS, withTiles } from "./tokenLogProbs.ts";

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

nativeKernel("BestTokens", ({ inputs: { features, table, bias } }) => {
  const [x, offset] = [viewTensor(features!), bias && (viewTensor(bias).values as Float32Array)];
  const [vocabulary, width] = table!.shape as [number, number];
  const rows = x.shape[0]!;
  const names = ["x", "weight", ...(offset ? ["bias"] : [])];
  const logits = new Float32Array(rows * Math.min(TILE_ROWS, vocabulary));
  const top = new Float32Array(rows).fill(Number.NEGATIVE_INFINITY);
  return filledTensor([rows], ({ values: best }) => {
    best.fill(0); // where no logit is a number
    withTiles(findSource(table!), { width, vocabulary }, (readTiles) => {
      for (let from = 0; from < vocabulary; from += TILE_ROWS) {
        const size = Math.min(TILE_ROWS, vocabulary - from);
        const y = logits.subarray(0, rows * size);
        const weight = { values: readTiles(from, from + size)[0]!, shape: [size, width] };
        const own = offset && { bias: { values: offset.subarray(from, from + size), shape: [size] } };
        runGraph(
          `linear ${names} undefined`,
          () => linearGraph(names),
          { x, weight, ...own },
          { y: { values: y, shape: [rows, size] } },
        );
        for (let i = 0; i < y.length; i++) {
          const row = Math.floor(i / size);
          if (!(y[i]! > top[row]!)) continue;
          top[row] = y[i]!;
          best[row] = from + (i % size);
        }
      }
    });
  });
});
