import * as tf from "@tensorflow/tfjs-core";
import { packBatch, type TokenBatch } from "../nn/batch.ts";
import { checkpointedGradient, plainGradient } from "../nn/gradient.ts";
import type { Head, Network } from "../nn/network.ts";
import { features } from "../nn/run.ts";
import type { Loss } from "../tasks/task.ts";
import { norm, type Parameter } from "../tensor/parameter.ts";
import type { Derivative, DifferentiateForwards, Gradient } from "../tuners/tuner.ts";
import type { LabelledBatch } from "./encode.ts";
import { losses } from "./loss.ts";

/** A part of a batch's loss that one forward pass gives: the tokens, the rows that are read, and the loss from the features there. */
export interface LossPart {
  readonly batch: TokenBatch;
  readonly rows: readonly number[];
  readonly loss: (features: tf.Tensor2D, head: Head) => tf.Scalar;
}

/** Parts that add up to `share` of a batch's loss. */
export function lossParts(loss: Loss, whole: LabelledBatch, share: number): LossPart[] {
  const { passes, count, logProbSum } = losses[loss];
  const total = count(whole);
  return passes(whole).map(({ items, sequences, rows, scores, table }) => {
    const batch = packBatch(sequences);
    const right = items.map((i) => whole.gold[i]![0]!);
    return {
      batch,
      rows: rows(batch.lengths),
      loss: (seen, head) => {
        const part = tf.div(logProbSum(table(scores(seen, head)), right), -total) as tf.Scalar;
        return share === 1 ? part : tf.mul(part, share);
      },
    };
  });
}

/** Loss and gradient of parts, which add up: one tensor a weight of theta, which the caller disposes of. */
export async function computeGradient(
  network: Network,
  parts: readonly LossPart[],
  theta: readonly Parameter[],
  checkpointing: boolean,
): Promise<Gradient> {
  const differentiate = checkpointing ? checkpointedGradient : plainGradient;
  let sum: Gradient = { loss: 0, gradients: [] };
  for (const { batch, rows, loss } of parts) {
    const tail = (seen: tf.Tensor2D): tf.Scalar => loss(seen, network.head);
    const part = await differentiate(network, batch, rows, tail, theta, sum.gradients);
    sum = { loss: sum.loss + part.loss, gradients: part.gradients };
  }
  return sum;
}

/** Norms of the gradient of parts, which add up, in groups of weights; one tensor a weight is held at once. */
export async function computeGradientNorms(
  network: Network,
  parts: readonly LossPart[],
  groups: readonly (readonly Parameter[])[],
  checkpointing: boolean,
): Promise<number[]> {
  const { gradients } = await computeGradient(network, parts, groups.flat(), checkpointing);
  const norms: number[] = [];
  let from = 0;
  for (const { length } of groups) {
    norms.push(await norm(gradients.slice(from, from + length)));
    from += length;
  }
  tf.dispose([...gradients]);
  return norms;
}

/** Loss and exact derivative along a tangent of parts, which add up: each part's by `differentiate`. */
export async function computeDerivative(
  network: Network,
  parts: readonly LossPart[],
  differentiate: DifferentiateForwards,
): Promise<Derivative> {
  let sum: Derivative = { loss: 0, derivative: 0 };
  for (const { batch, rows, loss } of parts) {
    const part = await differentiate(
      () => features(network, batch, rows),
      (seen) => loss(seen, network.head),
    );
    sum = { loss: sum.loss + part.loss, derivative: sum.derivative + part.derivative };
  }
  return sum;
}
