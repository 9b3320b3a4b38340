import { setImmediate } from "node:timers/promises";
import { type Begin, checkBegin, encodeBatch } from "../loss/encode.ts";
import { objectiveFor } from "../loss/objective.ts";
import type { LanguageModel } from "../models/network.ts";
import type { Task } from "../tasks/task.ts";
import { storage } from "../tensor/backend.ts";
import { fillValues, type Parameter } from "../tensor/parameter.ts";
import type { Objective } from "../tuners/tuner.ts";

/** Which rows. */
export interface TaskObjectiveOptions {
  /** Of the training part, from its first on (64). */
  readonly examples?: number;
  readonly begin?: Begin;
}

/** The task's loss on the same training examples each time, as a function of the model's weights: what a tuner's step sees, and what a landscape is of. */
export function taskObjective(
  model: LanguageModel,
  task: Task,
  { examples = 64, begin = "mezo" }: TaskObjectiveOptions = {},
): Objective {
  checkBegin(begin);
  return objectiveFor(model, task, {})(encodeBatch(model, task.train.slice(0, examples), begin));
}

/**
 * A loss as a function of all weights of theta, looked at around where they are. A direction is one number a weight, in theta's order. Each
 * look moves the weights and puts them back to the bit; only one may be under way.
 */
export interface Landscape {
  /** How many weights. */
  readonly dimension: number;
  /** Loss and gradient at theta, by backpropagation. */
  gradient(): Promise<Slope>;
  /** The losses at theta + amount · direction. */
  lossAlong(direction: Float32Array, amounts: readonly number[]): Promise<number[]>;
  /**
   * The Hessian's product with a direction: the difference of the gradients at both sides of theta, `reach` away (the length of the move;
   * 0.03 where it is left out), over the distance.
   */
  curvature(direction: Float32Array, reach?: number): Promise<Float32Array>;
  /** Puts the weights where they were, should a look have been cut short. */
  restore(): void;
}

/** A loss, and its gradient as one vector. */
export interface Slope {
  readonly loss: number;
  readonly gradient: Float32Array;
}

/**
 * The landscape of an objective around the present weights, which are kept in a copy. It needs an objective with a gradient for all but
 * `lossAlong`.
 */
export async function landscape(theta: readonly Parameter[], objective: Objective): Promise<Landscape> {
  const base = await toVector(theta.map(({ value }) => value));
  const place = (amount: number, direction: Float32Array): void => placeAll(theta, base, amount, direction);
  const restore = (): void => place(0, base);
  const slope = async (): Promise<Slope> => {
    await setImmediate(); // lets a notebook draw, and an interrupt in
    const { loss, gradients } = await objective.gradient!(theta);
    const gradient = await toVector(gradients);
    for (const part of gradients) part.dispose();
    return { loss, gradient };
  };
  const slopeAt = async (amount: number, direction: Float32Array): Promise<Float32Array> => {
    place(amount, direction);
    return (await slope()).gradient;
  };
  return {
    dimension: base.length,
    gradient: slope,
    restore,
    lossAlong: async (direction, amounts) => {
      const losses: number[] = [];
      for (const amount of amounts) {
        await setImmediate();
        place(amount, direction);
        losses.push(await objective.value());
      }
      restore();
      return losses;
    },
    // A shorter reach drowns in the rounding of gradients, a longer one leaves what is straight around theta.
    curvature: async (direction, reach = 0.03) => {
      const amount = reach / norm(direction);
      const ahead = await slopeAt(amount, direction);
      const behind = await slopeAt(-amount, direction);
      restore();
      return ahead.map((value, i) => (value - behind[i]!) / (2 * amount));
    },
  };
}

/** All values of tensors, in their order. */
async function toVector(tensors: readonly Parameter["value"][]): Promise<Float32Array> {
  const vector = new Float32Array(tensors.reduce((sum, { size }) => sum + size, 0));
  let at = 0;
  for (const tensor of tensors) {
    vector.set((storage().view?.(tensor) ?? (await tensor.data())) as Float32Array, at);
    at += tensor.size;
  }
  return vector;
}

/** theta = base + amount · direction. */
function placeAll(theta: readonly Parameter[], base: Float32Array, amount: number, direction: Float32Array): void {
  let at = 0;
  for (const { value } of theta) {
    const from = at;
    fillValues(value, (into) => {
      for (let i = 0; i < into.length; i++) into[i] = base[from + i]! + amount * direction[from + i]!;
    });
    at += value.size;
  }
}

/** The sum of products, in double precision. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** The length of a direction. */
export function norm(direction: Float32Array): number {
  return Math.sqrt(dot(direction, direction));
}
