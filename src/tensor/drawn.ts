import * as tf from "@tensorflow/tfjs";
import type { Parameter } from "./parameter.ts";
import type { Draw, Perturb } from "./perturb.ts";

/** Zeros in the shapes and under the names of the weights, so that noise makes the same z for them. To be disposed of. */
export function zerosLike(theta: readonly Parameter[]): Parameter[] {
  return theta.map(({ name, value }) => ({ name, value: tf.zerosLike(value) }));
}

/** scale · z of one weight in a tensor of its own, to be disposed of. */
export function drawn(weight: Parameter, noise: Perturb, draw: Draw, scale = 1): tf.Tensor {
  const zeros = zerosLike([weight]);
  noise(zeros, scale, draw);
  return zeros[0]!.value;
}
