import type * as tf from "@tensorflow/tfjs";
import { type Activation, activate } from "../kernels/activation.ts";
import { add } from "../kernels/elementwise.ts";
import { linear } from "../kernels/linear.ts";
import type { Corrections } from "./network.ts";

/** A linear map, under its checkpoint name without ".weight". */
export interface Projection {
  readonly name: string;
  /** [out, in] */
  readonly weight: tf.Tensor;
  /** [out] */
  readonly bias?: tf.Tensor | undefined;
}

/** What may follow a projection: an activation, or a residual [rows, out] to add. */
export type ProjectionExtras =
  | { readonly activation?: Activation; readonly residual?: never }
  | { readonly activation?: never; readonly residual?: tf.Tensor };

/** x [rows, in] through a projection and what an adapter adds to it, then the activation or the residual: [rows, out]. */
export function project(
  x: tf.Tensor,
  { name, weight, bias }: Projection,
  { correction }: { readonly correction: Corrections },
  extras: ProjectionExtras = {},
): tf.Tensor2D {
  const { activation, residual } = extras;
  const change = correction(name)?.(x);
  const given = bias ? { bias } : {};
  if (!change) return linear(x, weight, { ...given, ...extras });
  const added = residual ? add(residual, change) : change;
  const y = linear(x, weight, { ...given, residual: added });
  return activation ? activate(y, activation) : y;
}
