import * as tf from "@tensorflow/tfjs";
import type { LanguageModel } from "../models/network.ts";
import { checkpointedGradient, plainGradient } from "../nn/gradient.ts";
import type { Network } from "../nn/network.ts";
import { features } from "../nn/run.ts";
import type { Loss, Task } from "../tasks/task.ts";
import { canPair, pairwise } from "../tensor/pair.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Derivative, DifferentiateForwards, Gradient, Objective } from "../tuners/tuner.ts";
import { type LabelledBatch, microBatches } from "./encode.ts";
import { bothLosses, type LossPass, lossOf, lossPasses, rightAnswers } from "./loss.ts";
import type { Measure } from "./score.ts";

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

/** Loss and exact derivative along a tangent of passes whose losses add up. */
export function derivativeOf(
  network: Network,
  passes: readonly LossPass[],
  differentiate: DifferentiateForwards,
): Derivative {
  const parts = passes.map(({ batch, rows, loss }) =>
    differentiate(
      () => features(network, batch, rows),
      (seen) => loss(seen, network.head),
    ),
  );
  return parts.reduce((sum, { loss, derivative }) => ({
    loss: sum.loss + loss,
    derivative: sum.derivative + derivative,
  }));
}

/** What training looks at, beside the task's own loss of the whole batch at once by plain backpropagation. */
export interface ObjectiveOptions {
  readonly microBatchSize?: number;
  readonly maximize?: Measure;
  readonly checkpointing?: boolean;
}

/** Makes the objective of one batch: the task's loss, or the negative of a measure, which has no gradient. */
export function objectiveFor(
  model: LanguageModel,
  task: Task,
  { microBatchSize, maximize, checkpointing = false }: ObjectiveOptions,
): (batch: LabelledBatch) => Objective {
  return (batch) => {
    const size = microBatchSize ?? batch.examples.length;
    const pieces = piecesOf(batch, size, maximize ? "candidates" : task.loss);
    const value = (of: (piece: LabelledBatch) => number | Promise<number>): Objective => ({
      value: () => weightedMean(pieces, of),
    });
    if (maximize) return value(async (piece) => -(await maximize.of(model, piece)));
    const passes = (): LossPass[] =>
      pieces.flatMap(({ piece, share }) => lossPasses[task.loss](piece).map((pass) => scaled(pass, share)));
    return {
      ...value((piece) => lossOf(task.loss, model, piece)),
      ...(canPair() && { pair: pairOf(model, task.loss, pieces) }),
      gradient: (theta) => gradientOf(model, passes(), theta, checkpointing),
      derivative: (_theta, _tangentOf, differentiate) => derivativeOf(model, passes(), differentiate),
    };
  };
}

/** Both losses in one pass over the weights. */
function pairOf(model: LanguageModel, loss: Loss, pieces: readonly Piece[]): NonNullable<Objective["pair"]> {
  return (theta, shift) =>
    pairwise(theta, shift, (sides) => {
      const losses = pieces.map(({ piece }) => bothLosses(loss, model, piece, sides));
      const sum = (side: "plus" | "minus"): number =>
        losses.reduce((total, both, i) => total + pieces[i]!.share * both[side], 0);
      return { lossPlus: sum("plus"), lossMinus: sum("minus") };
    });
}

/** A piece of a batch that is run at once, and its share of the batch's mean. */
export interface Piece {
  readonly piece: LabelledBatch;
  readonly share: number;
}

/** A batch in pieces of at most `size` examples, whose losses, each by its share, add up to the batch's. */
export function piecesOf(batch: LabelledBatch, size: number, loss: Loss): Piece[] {
  const pieces = microBatches(batch, size);
  const weights = pieces.map((piece) => weightOf[loss](piece));
  const total = weights.reduce((a, b) => a + b, 0);
  return pieces.map((piece, i) => ({ piece, share: weights[i]! / total }));
}

/** What a loss is the mean over: examples, or the tokens of the right answers. */
const weightOf: Readonly<Record<Loss, (batch: LabelledBatch) => number>> = {
  candidates: ({ examples }) => examples.length,
  answer: (batch) => rightAnswers(batch).reduce((sum, { optionLength }) => sum + optionLength, 0),
};

async function weightedMean(
  pieces: readonly Piece[],
  of: (piece: LabelledBatch) => number | Promise<number>,
): Promise<number> {
  let sum = 0;
  for (const { piece, share } of pieces) sum += share * (await of(piece));
  return sum;
}

function scaled(pass: LossPass, share: number): LossPass {
  return share === 1 ? pass : { ...pass, loss: (seen, head) => pass.loss(seen, head).mul(share) };
}
