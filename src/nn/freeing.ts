import * as tf from "@tensorflow/tfjs";
import type { LayerContext } from "./network.ts";

/** Runs a part of a layer and frees what it made on its way before the next part begins; all stays where keys and values are kept. */
export function freeing({ keep }: LayerContext, part: () => tf.Tensor2D): tf.Tensor2D {
  return keep ? part() : tf.tidy(part);
}
