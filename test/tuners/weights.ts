import * as tf from "@tensorflow/tfjs-core";
import { afterEach } from "vitest";
import type { Draw, Parameter, Perturb } from "../../src/tensor/parameter.ts";
import { lineAlong } from "../../src/tuners/line.ts";
import { type Estimate, estimate as estimateOn } from "../../src/tuners/mezo.ts";
import type { Derivative, Objective, StepResult, Training, Tuner } from "../../src/tuners/tuner.ts";
import { allValues } from "../values.ts";

const made: tf.Tensor[] = [];
const begun: Training[] = [];

afterEach(() => {
  for (const training of begun.splice(0)) training.dispose();
  tf.dispose(made.splice(0));
});

/** Weights of the given sizes, standard normal, freed after the test. */
export function weights(sizes: Readonly<Record<string, number>>): Parameter[] {
  return Object.entries(sizes).map(([name, size], i) =>
    freed({ name, value: tf.randomNormal([size], 0, 1, "float32", i + 1) }),
  );
}

/** One weight of these values, freed after the test. */
export function weight(name: string, values: readonly number[]): Parameter {
  return freed({ name, value: tf.tensor1d(Float32Array.from(values)) });
}

function freed(weight: Parameter): Parameter {
  made.push(weight.value);
  return weight;
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
export async function valuesOf(theta: readonly Parameter[]): Promise<number[]> {
  const values = await allValues(theta.map(({ value }) => value));
  return values.flatMap((each) => [...each]);
}

/** Half the squared norm of the weights, which is also its own gradient's potential: the gradient is theta, the derivative along z is theta · z. */
export function quadratic(theta: readonly Parameter[]): Objective {
  const value = async (): Promise<number> => (await valuesOf(theta)).reduce((sum, v) => sum + (v * v) / 2, 0);
  return {
    value,
    // In memory of their own, so that changing the weight does not change its gradient.
    gradient: async (all) => ({ loss: await value(), gradients: all.map((each) => tf.mul(each.value, 1)) }),
    gradientNorms: (groups) => Promise.all(groups.map(async (all) => Math.hypot(...(await valuesOf(all))))),
    derivative: async (all, tangentOf): Promise<Derivative> => {
      const tangents = all.map((each) => ({ name: each.name, value: tangentOf(each) }));
      const [x, y] = [await valuesOf(all), await valuesOf(tangents)];
      tf.dispose(tangents.map((tangent) => tangent.value));
      return { loss: await value(), derivative: x.reduce((sum, v, i) => sum + v * y[i]!, 0) };
    },
  };
}

/** z of the draw for all weights, one after another. */
export async function zOf(
  theta: readonly Parameter[],
  noise: (theta: readonly Parameter[], scale: number, draw: { seed: number; step: number; index?: number }) => void,
  draw: { seed: number; step: number; index?: number },
): Promise<number[]> {
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
