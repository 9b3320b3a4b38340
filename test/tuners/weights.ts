import * as tf from "@tensorflow/tfjs-core";
import { afterEach } from "vitest";
import { viewTensor } from "../../src/tensor/native/backend.ts";
import type { Draw, Parameter, Perturb } from "../../src/tensor/parameter.ts";
import { lineAlong } from "../../src/tuners/line.ts";
import { type Estimate, estimate as estimateOn } from "../../src/tuners/mezo.ts";
import type { Objective, StepResult, Training, Tuner } from "../../src/tuners/tuner.ts";

const made: tf.Tensor[] = [];
const begun: Training[] = [];

afterEach(() => {
  for (const training of begun.splice(0)) training.dispose();
  tf.dispose(made.splice(0));
});

/** Weights of the given sizes, standard normal, freed after the test. */
export function weights(sizes: Readonly<Record<string, number>>): Parameter[] {
  return Object.entries(sizes).map(([name, size], i) =>
    weight(name, [...tf.tidy(() => tf.randomNormal([size], 0, 1, "float32", i + 1).dataSync())]),
  );
}

/** One weight of these values, freed after the test. */
export function weight(name: string, values: readonly number[]): Parameter {
  const value = tf.tensor1d(Float32Array.from(values));
  made.push(value);
  return { name, value };
}

/** Starts a tuner on weights; disposed of after the test. */
export function started(tuner: Tuner, theta: readonly Parameter[]): Training {
  const training = tuner.begin(theta);
  begun.push(training);
  return training;
}

/** Runs steps 0 up to `steps`, of so many; gives their results. */
export async function train(
  tuner: Tuner,
  theta: readonly Parameter[],
  objective: Objective,
  steps: number,
  seed = 4,
): Promise<StepResult[]> {
  const training = started(tuner, theta);
  const results: StepResult[] = [];
  for (let step = 0; step < steps; step++) results.push(await training.step(objective, { seed, step, total: steps }));
  return results;
}

/** All values of the weights, one after another. */
export const valuesOf = (theta: readonly Parameter[]): number[] =>
  theta.flatMap(({ value }) => [...viewTensor(value).values]);

/** An objective whose value is there at once. */
export type Summed = Omit<Objective, "value"> & { readonly value: () => number };

/** Half the squared norm of the weights, which is also its own gradient's potential: the gradient is theta, the derivative along z is theta · z. */
export function quadratic(theta: readonly Parameter[]): Summed {
  const value = (): number => valuesOf(theta).reduce((sum, v) => sum + (v * v) / 2, 0);
  return {
    value,
    gradient: (all) => ({ loss: value(), gradients: all.map((each) => tf.clone(each.value)).map(copied) }),
    derivative: (all, tangentOf) => {
      const parts = all.map((each) => {
        const tangent = tangentOf(each);
        const dot = valuesOf([each]).reduce((sum, v, i) => sum + v * viewTensor(tangent).values[i]!, 0);
        tangent.dispose();
        return dot;
      });
      return { loss: value(), derivative: parts.reduce((a, b) => a + b, 0) };
    },
  };
}

/** The same values in memory of their own, so that changing the weight does not change its gradient. */
function copied(tensor: tf.Tensor): tf.Tensor {
  const copy = tf.tensor(tensor.dataSync(), tensor.shape);
  tensor.dispose();
  return copy;
}

/** z of the draw for all weights, one after another. */
export function zOf(
  theta: readonly Parameter[],
  noise: (theta: readonly Parameter[], scale: number, draw: { seed: number; step: number; index?: number }) => void,
  draw: { seed: number; step: number; index?: number },
): number[] {
  const zeros = theta.map(({ name, value }) => ({ name, value: tf.zerosLike(value) }));
  made.push(...zeros.map(({ value }) => value));
  noise(zeros, 1, draw);
  return valuesOf(zeros);
}

/** The estimate along one z, theta being back afterwards. */
export const estimate = (
  theta: readonly Parameter[],
  objective: Objective,
  { noise, eps, z }: { readonly noise: Perturb; readonly eps: number; readonly z: Draw },
): Promise<Estimate> => estimateOn(lineAlong(theta, objective, noise, z), eps);
