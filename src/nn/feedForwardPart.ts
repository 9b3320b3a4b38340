import * as tf from "@tensorflow/tfjs";
import type { Activation } from "../kernels/activation.ts";
import { feedForward } from "../kernels/feedForward.ts";
import type { LayerContext } from "./network.ts";
import { type Projection, project } from "./project.ts";

/** The two projections of a feed-forward part, both with a bias. */
export interface FeedForwardPart {
  readonly up: Projection;
  readonly down: Projection;
  readonly activation: Activation;
}

/** x [rows, in] through a feed-forward part and what an adapter adds to it, then the residual: [rows, out]. */
export function feedForwardPart(
  x: tf.Tensor,
  { up, down, activation }: FeedForwardPart,
  context: LayerContext,
  residual: tf.Tensor,
): tf.Tensor2D {
  if (context.correction(up.name) || context.correction(down.name)) {
    const wide = tf.tidy(() => project(x, up, context, { activation }));
    return project(wide, down, context, { residual });
  }
  const weights = { up: up.weight, upBias: up.bias!, down: down.weight, downBias: down.bias! };
  return feedForward(x, weights, activation, residual);
}
