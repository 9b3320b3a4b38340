import { type Begin, encodeBatch } from "../loss/encode.ts";
import { scorerFor } from "../loss/score.ts";
import type { LanguageModel } from "../models/network.ts";
import { computeMeanScore, hasClasses, scoreMajority } from "../tasks/score.ts";
import type { Metric, Task } from "../tasks/task.ts";
import type { Draw } from "../tensor/parameter.ts";
import type { Objective } from "../tuners/tuner.ts";
import { average, rootMeanSquare, type SlopeAt, standardDeviation } from "./plateau.ts";

/** A batch in two halves (one piece where it has a single example): each an objective of `examples` examples, and its share of the batch's loss. */
export type HalvedBatch = readonly {
  readonly objective: Objective;
  readonly share: number;
  readonly examples: number;
}[];

/** Signal and noise of g, of whole batches unless stated otherwise. */
export interface Signal {
  readonly draws: number;
  readonly batches: number;
  /** Mean of |g| over z and batches. */
  readonly meanSize: number;
  /** Standard deviation of g over z on the same batch: the effect of the step's random direction. */
  readonly overDraws: number;
  /** Standard deviation of g over batches for the same z: the effect of the choice of examples. 0 where there is one batch only. */
  readonly overBatches: number;
  /**
   * Size of the common part of all batches' g for a z, over the deviation of one batch's g from it; 0 where nothing is common, infinite where
   * all are the same.
   */
  readonly ratio: number;
  /** The batch size at which that ratio is 1. */
  readonly evenBatch: number;
  /** How often two halves of a batch have g of the same sign for the same z; absent where batches have a single example. */
  readonly agreement?: { readonly same: number; readonly of: number };
}

/** Measures g of each half of each batch for each z: [z][batch][half]. */
export async function measureHalfSlopes(
  at: SlopeAt,
  batches: readonly HalvedBatch[],
  eps: number,
  draws: readonly Draw[],
): Promise<number[][][]> {
  const all: number[][][] = [];
  for (const z of draws) {
    const ofZ: number[][] = [];
    for (const halves of batches) {
      const slopes: number[] = [];
      for (const { objective } of halves) slopes.push((await at(objective, eps, z)).slope);
      ofZ.push(slopes);
    }
    all.push(ofZ);
  }
  return all;
}

/**
 * Computes signal and noise from those slopes. Two halves without a common example differ by chance alone, so the mean product of their g
 * for one z is the square of their common part.
 */
export function computeSignal(
  slopes: readonly (readonly (readonly number[])[])[],
  batches: readonly HalvedBatch[],
): Signal {
  const whole = slopes.map((ofZ) =>
    ofZ.map((halves, b) => halves.reduce((sum, g, h) => sum + g * batches[b]![h]!.share, 0)),
  );
  const common = average(slopes.map((ofZ) => commonSquare(ofZ.flat())));
  const chance = average(slopes.flat(2).map((g) => g * g)) - common;
  const perBatch = batches[0]!.length;
  const pairs = slopes.flat().filter((halves) => halves.length === 2);
  const same = pairs.filter(([a, b]) => Math.sign(a!) === Math.sign(b!)).length;
  return {
    draws: slopes.length,
    batches: batches.length,
    meanSize: average(whole.flat().map(Math.abs)),
    overDraws: rootMeanSquare(batches.map((_, b) => standardDeviation(whole.map((ofZ) => ofZ[b]!)))),
    overBatches: rootMeanSquare(whole.map(standardDeviation)),
    ratio: Math.sqrt(quotient(common, chance / perBatch)),
    evenBatch: batches[0]![0]!.examples * quotient(chance, common),
    ...(pairs.length > 0 && { agreement: { same, of: pairs.length } }),
  };
}

/** The mean product of two different values. */
function commonSquare(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value * value, 0);
  return (sum * sum - squares) / (values.length * (values.length - 1));
}

/** The quotient of two estimates whose true values are not below 0. */
function quotient(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.NaN;
  if (a <= 0) return 0;
  return b <= 0 ? Number.POSITIVE_INFINITY : a / b;
}

/** A mean score between 0 and 1, and its standard error. */
export interface Measured {
  readonly score: number;
  readonly standardError: number;
}

/** Whether the model with the prompt knows anything of the task before tuning, on the dev part. */
export interface PromptCheck {
  readonly metric: Metric;
  readonly rows: number;
  readonly zeroShot: Measured;
  /** A score without any knowledge: the training part's most frequent class, or a guess among each row's options; absent where answers are written out. */
  readonly floor?: Measured & { readonly kind: "majority" | "guessing" };
  /** By how many standard errors of their difference zero-shot is above the floor. */
  readonly above?: number;
}

/** Scores the untuned model on the dev part, and the floor. */
export async function checkPrompt(
  model: LanguageModel,
  task: Task,
  begin: Begin,
  onDone: (done: number) => void,
): Promise<PromptCheck> {
  const dev = encodeBatch(model, task.dev, begin);
  const { score, standardError } = await scorerFor(model, task, begin)({ ...dev, on: "dev", step: 0 }, onDone);
  const found = { metric: task.metric, rows: task.dev.length, zeroShot: { score, standardError } };
  const floor = findFloor(task, model.prompts);
  if (!floor) return found;
  const above = (score - floor.score) / Math.hypot(standardError, floor.standardError);
  return { ...found, floor, ...(Number.isFinite(above) && { above }) };
}

function findFloor(task: Task, prompts: LanguageModel["prompts"]): PromptCheck["floor"] {
  if (task.metric !== "accuracy") return undefined;
  if (hasClasses(task)) {
    const { accuracy: score, standardError } = scoreMajority({ ...task, test: task.dev });
    return { kind: "majority", score, standardError };
  }
  const { mean, standardError } = computeMeanScore(
    task.dev.map((row) => row.gold.length / row[prompts]!.options.length),
  );
  return { kind: "guessing", score: mean, standardError };
}
