import type { LanguageModel } from "../models/network.ts";
import type { Loss, Task } from "../tasks/task.ts";
import { beside, pairwise } from "../tensor/pair.ts";
import type { Objective, Pair } from "../tuners/tuner.ts";
import { type LabelledBatch, splitBatch } from "./encode.ts";
import { computeDerivative, computeGradient, computeGradientNorms, type LossPart, lossParts } from "./gradient.ts";
import { computeBothLosses, computeLoss, computeLossBeside, losses } from "./loss.ts";
import type { Measure } from "./score.ts";

/** What may differ from the task's own loss, of the whole batch at once, by plain backpropagation. */
export interface ObjectiveOptions {
  readonly microBatchSize?: number;
  readonly maximize?: Measure;
  readonly checkpointing?: boolean;
}

/** Makes the objective of one batch: the task's loss, or the negative of a measure, which has no gradient. */
export function objectiveFor(
  model: LanguageModel,
  task: Pick<Task, "loss">,
  { microBatchSize, maximize, checkpointing = false }: ObjectiveOptions,
): (batch: LabelledBatch) => Objective {
  return (whole) => {
    const size = microBatchSize ?? whole.examples.length;
    const batches = microBatches(whole, size, maximize ? "candidates" : task.loss);
    if (maximize) return { value: () => sumOf(batches, async ({ batch }) => -(await maximize.of(model, batch))) };
    const parts = (): LossPart[] => batches.flatMap(({ batch, share }) => lossParts(task.loss, batch, share));
    return {
      value: () => sumOf(batches, ({ batch }) => computeLoss(task.loss, model, batch)),
      pair: pairedLoss(model, task.loss, batches),
      side: lossBeside(model, task.loss, batches),
      gradient: (theta) => computeGradient(model, parts(), theta, checkpointing),
      gradientNorms: (groups) => computeGradientNorms(model, parts(), groups, checkpointing),
      derivative: (_theta, _tangentOf, differentiate) => computeDerivative(model, parts(), differentiate),
    };
  };
}

/** The losses on both sides, in one pass over the weights. */
function pairedLoss(model: LanguageModel, loss: Loss, batches: readonly MicroBatch[]): NonNullable<Objective["pair"]> {
  return (theta, shift) =>
    pairwise(theta, shift, async (sides) => {
      const both = await Promise.all(batches.map(({ batch }) => computeBothLosses(loss, model, batch, sides)));
      const parts = both.map(({ plus, minus }) => ({ lossPlus: plus, lossMinus: minus }));
      return addParts(batches, parts);
    });
}

/** The losses of a batch from those of its parts, in their order. */
export function addParts(batches: readonly MicroBatch[], parts: readonly Pair[]): Pair {
  let [lossPlus, lossMinus] = [0, 0];
  for (const [i, { share }] of batches.entries()) {
    lossPlus += share * parts[i]!.lossPlus;
    lossMinus += share * parts[i]!.lossMinus;
  }
  return { lossPlus, lossMinus };
}

/** The loss at theta + eps z, theta undisturbed. */
function lossBeside(model: LanguageModel, loss: Loss, batches: readonly MicroBatch[]): NonNullable<Objective["side"]> {
  return (theta, shift) =>
    beside(theta, shift, async (read) => {
      const found = await Promise.all(batches.map(({ batch }) => computeLossBeside(loss, model, batch, read)));
      return found.reduce((sum, one, i) => sum + batches[i]!.share * one, 0);
    });
}

/** A part of a batch that is run at once, and its share of the batch's mean. */
export interface MicroBatch {
  readonly batch: LabelledBatch;
  readonly share: number;
}

/** A batch in parts of at most `size` examples, whose losses, each by its share, add up to the batch's. */
export function microBatches(whole: LabelledBatch, size: number, loss: Loss): MicroBatch[] {
  const batches = splitBatch(whole, size);
  const counts = batches.map((batch) => losses[loss].count(batch));
  const total = counts.reduce((a, b) => a + b, 0);
  return batches.map((batch, i) => ({ batch, share: counts[i]! / total }));
}

async function sumOf(
  batches: readonly MicroBatch[],
  value: (batch: MicroBatch) => number | Promise<number>,
): Promise<number> {
  let sum = 0;
  for (const one of batches) sum += one.share * (await value(one));
  return sum;
}
