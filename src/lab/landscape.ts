import { setImmediate } from "node:timers/promises";
import { type Begin, checkBegin, encodeBatch } from "../loss/encode.ts";
import { objectiveFor } from "../loss/objective.ts";
import type { LanguageModel } from "../models/network.ts";
import type { Task } from "../tasks/task.ts";
import { copyValues, fillValues, type Parameter } from "../tensor/parameter.ts";
import type { Objective } from "../tuners/tuner.ts";

/** Which examples. */
export interface TaskObjectiveOptions {
  /** The first so many of the training part (64). */
  readonly examples?: number;
  readonly begin?: Begin;
}

/** The task's loss on the same training examples each time, as a function of the model's weights: for a tuner's step, or a landscape. */
export function taskObjective(
  model: LanguageModel,
  task: Task,
  { examples = 64, begin = "mezo" }: TaskObjectiveOptions = {},
): Objective {
  checkBegin(begin);
  return objectiveFor(model, task, {})(encodeBatch(model, task.train.slice(0, examples), begin));
}

/**
 * A loss as a function of all weights of theta, around their present values. A direction is one number per weight, in theta's order. Each
 * measurement moves the weights and puts them back to the bit; only one may run at a time.
 */
export interface Landscape {
  /** The number of weights. */
  readonly dimension: number;
  /** Loss and gradient at theta, by backpropagation. */
  gradient(): Promise<Slope>;
  /** The losses at theta + amount · direction. */
  lossAlong(direction: Float32Array, amounts: readonly number[]): Promise<number[]>;
  /**
   * The Hessian's product with a direction: the difference of the gradients on both sides of theta, each `reach` away (0.03 by default),
   * over the distance.
   */
  curvature(direction: Float32Array, reach?: number): Promise<Float32Array>;
  /** Puts the weights back after an interrupted measurement. */
  restore(): void;
}

/** A loss, and its gradient as one vector. */
export interface Slope {
  readonly loss: number;
  readonly gradient: Float32Array;
}

/**
 * The landscape of an objective around the present weights, of which it keeps a copy. All but `lossAlong` need an objective with a
 * gradient.
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
    // A shorter reach is lost in the rounding of gradients, a longer one leaves the range in which they are linear.
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
    await copyValues(tensor, vector.subarray(at, at + tensor.size));
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

/** The dot product in double precision. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** The length of a direction. */
export function norm(direction: Float32Array): number {
  return Math.sqrt(dot(direction, direction));
}
