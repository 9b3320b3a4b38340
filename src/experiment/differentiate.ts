import * as tf from "@tensorflow/tfjs";
import { checkpointedGradient } from "../nn/checkpointed.ts";
import { features } from "../nn/features.ts";
import { plainGradient } from "../nn/gradient.ts";
import type { Network } from "../nn/network.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { forwardDerivative } from "../tensor/tangent.ts";
import type { Derivative, Gradient } from "../tuners/tuner.ts";
import type { LossPass } from "./lossPasses.ts";

/** Loss and gradient of passes whose losses add up: one tensor a weight of theta, which the caller disposes of. */
export async function gradientOf(
  network: Network,
  passes: readonly LossPass[],
  theta: readonly Parameter[],
  checkpointing: boolean,
): Promise<Gradient> {
  const differentiate = checkpointing ? checkpointedGradient : plainGradient;
  let sum: Gradient | undefined;
  for (const { batch, rows, loss } of passes) {
    const part = await differentiate(network, batch, rows, (seen) => loss(seen, network.head), theta);
    sum = sum ? add(sum, part) : part;
  }
  return sum!;
}

function add(a: Gradient, b: Gradient): Gradient {
  const gradients = a.gradients.map((gradient, i) => tf.add(gradient, b.gradients[i]!));
  for (const used of [...a.gradients, ...b.gradients]) used.dispose();
  return { loss: a.loss + b.loss, gradients };
}

/** Loss and exact derivative along a tangent of passes whose losses add up: forward mode through the network. */
export function derivativeOf(
  network: Network,
  passes: readonly LossPass[],
  tangentOf: (weight: Parameter) => tf.Tensor,
  theta: readonly Parameter[],
): Derivative {
  const parts = passes.map(({ batch, rows, loss }) =>
    forwardDerivative(
      () => features(network, batch, rows),
      (seen) => loss(seen, network.head),
      theta,
      tangentOf,
    ),
  );
  return parts.reduce((sum, { loss, derivative }) => ({
    loss: sum.loss + loss,
    derivative: sum.derivative + derivative,
  }));
}
