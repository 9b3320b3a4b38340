import { setImmediate } from "node:timers/promises";
import {
  cholesky,
  choleskySolve,
  dotAt,
  type Minimum,
  minimize,
  type Precondition,
  type Smooth,
  type StopAt,
} from "./lbfgs.ts";

/** Rows of features, [n, width] row by row in double precision, with the class of each, 0 to classes − 1. */
export interface LabelledRows {
  readonly rows: Float64Array;
  readonly width: number;
  readonly labels: readonly number[];
  readonly classes: number;
  /** Whether the last feature is the constant 1, whose weight is not penalized. */
  readonly intercept: boolean;
}

/**
 * The objective of scikit-learn's multinomial LogisticRegression, divided by nothing: Σ log-loss + ‖w‖² / (2C), for w [classes,
 * width]. Two classes have two rows too, as its `multi_class="multinomial"` had, which the authors ask for: that fit equals today's
 * one-row fit at 2C.
 */
export function logisticObjective(data: LabelledRows, C: number): Smooth {
  const { rows, width, labels, classes, intercept } = data;
  const logits = new Float64Array(classes);
  return (w, gradient) => {
    let value = penalty(w, gradient, { width, intercept, C });
    for (let i = 0; i < labels.length; i++) {
      const row = rows.subarray(i * width, (i + 1) * width);
      rowLogits(w, row, logits);
      value += logLoss(logits, labels[i]!);
      for (let k = 0; k < classes; k++) addRow(gradient, k * width, logits[k]!, row, width);
    }
    return value;
  };
}

/** Fits weights [classes, width] from `start`. */
export function fitLogistic(
  data: LabelledRows,
  C: number,
  start: Float64Array,
  stop: StopAt,
  precondition?: Precondition,
): Minimum {
  return minimize(logisticObjective(data, C), start, stop, precondition);
}

/** Sum of the products of the features, Σ x·xᵀ [width, width], its lower triangle. */
export function computeGram({ rows, width, labels }: LabelledRows): Float64Array {
  const gram = new Float64Array(width * width);
  for (let i = 0; i < labels.length; i++) {
    const row = rows.subarray(i * width, (i + 1) * width);
    for (let j = 0; j < width; j++) addRow(gram, j * width, row[j]!, row, j + 1);
  }
  return gram;
}

/**
 * The inverse, for each class, of the penalty's second derivatives plus those that the log-loss would have if all rows were as
 * uncertain as they are on average under `w`. Features of language models lie so unevenly that a fit takes thousands of steps
 * without it.
 */
export function logisticPrecondition(
  data: LabelledRows,
  gram: Float64Array,
  { C, w }: { readonly C: number; readonly w: Float64Array },
): Precondition {
  const { width, classes, intercept } = data;
  const curvature = uncertainty(w, data);
  const matrix = gram.map((v) => curvature * v);
  for (let j = 0; j < width - (intercept ? 1 : 0); j++) matrix[j * width + j]! += 1 / C;
  const lower = cholesky(matrix, width);
  return (gradient) => {
    for (let k = 0; k < classes; k++) choleskySolve(lower, width, gradient, k * width);
  };
}

/** Mean of p(1 − p) over rows and classes. */
function uncertainty(w: Float64Array, { rows, width, labels, classes }: LabelledRows): number {
  const p = new Float64Array(classes);
  let sum = 0;
  for (let i = 0; i < labels.length; i++) {
    rowLogits(w, rows.subarray(i * width, (i + 1) * width), p);
    logLoss(p, labels[i]!);
    p[labels[i]!]! += 1;
    for (const share of p) sum += share * (1 - share);
  }
  return Math.max(sum / (labels.length * classes), 1e-9);
}

/** Share of the rows whose highest logit is their class's; the first of equals counts. */
export function logisticAccuracy(w: Float64Array, { rows, width, labels, classes }: LabelledRows): number {
  const logits = new Float64Array(classes);
  const right = labels.filter((label, i) => {
    rowLogits(w, rows.subarray(i * width, (i + 1) * width), logits);
    return logits.indexOf(Math.max(...logits)) === label;
  });
  return right.length / labels.length;
}

/** Writes w / C into the gradient, 0 for intercepts; returns the penalty. */
function penalty(
  w: Float64Array,
  gradient: Float64Array,
  { width, intercept, C }: { width: number; intercept: boolean; C: number },
): number {
  let squares = 0;
  for (let j = 0; j < w.length; j++) {
    const penalized = !(intercept && j % width === width - 1);
    gradient[j] = penalized ? w[j]! / C : 0;
    if (penalized) squares += w[j]! * w[j]!;
  }
  return squares / (2 * C);
}

function rowLogits(w: Float64Array, row: Float64Array, logits: Float64Array): void {
  for (let k = 0; k < logits.length; k++) logits[k] = dotAt(row, w, k * row.length, row.length);
}

/** The log-loss of a row; leaves its derivative by the logits, softmax − one-hot, in their place. */
function logLoss(logits: Float64Array, label: number): number {
  const top = Math.max(...logits);
  const right = logits[label]! - top;
  let total = 0;
  for (let k = 0; k < logits.length; k++) {
    logits[k] = Math.exp(logits[k]! - top);
    total += logits[k]!;
  }
  for (let k = 0; k < logits.length; k++) logits[k]! /= total;
  logits[label]! -= 1;
  return Math.log(total) - right;
}

function addRow(sum: Float64Array, at: number, scale: number, row: Float64Array, length: number): void {
  for (let j = 0; j < length; j++) sum[at + j]! += scale * row[j]!;
}

/** Inverse strengths of the penalty that are tried: ten from 1e-4 to 1e4, evenly apart in their logarithm (scikit-learn's default). */
export const STRENGTHS: readonly number[] = Array.from({ length: 10 }, (_, i) => 10 ** (-4 + (8 * i) / 9));

/** Folds of the cross-validation (scikit-learn's default). */
export const FOLDS = 5;

/** A fit with the strength that cross-validation chose. */
export interface ChosenFit extends Minimum {
  readonly C: number;
  /** Mean accuracy over the folds for each of `STRENGTHS`. */
  readonly accuracies: readonly number[];
}

/**
 * The fold, from 0, that each label's row is held out in, as scikit-learn's StratifiedKFold deals them without shuffling: classes in
 * the order of their first row, each class's rows to the folds in order, so many to each as every FOLDS-th of the sorted labels has.
 */
export function stratifiedFolds(labels: readonly number[], folds: number = FOLDS): number[] {
  const order = [...new Set(labels)];
  const sorted = labels.map((label) => order.indexOf(label)).sort((a, b) => a - b);
  const deals = order.map((_, k) =>
    Array.from({ length: folds }, (_, fold) => sorted.filter((of, i) => of === k && i % folds === fold).length),
  );
  const hands = deals.map((deal) => deal.flatMap((count, fold) => Array<number>(count).fill(fold)));
  return labels.map((label) => hands[order.indexOf(label)]!.shift()!);
}

/**
 * Multinomial logistic regression whose penalty is chosen by cross-validated accuracy, the strongest of equals, then fitted to all
 * rows, as scikit-learn's LogisticRegressionCV does: each fold's fit starts at that for the C before, the last at the mean of the
 * folds' fits. Unlike scikit-learn's, which also stops at a relative decrease of 2e-9, fits continue to `stop.tolerance`.
 */
export async function fitLogisticCV(
  data: LabelledRows,
  stop: StopAt,
  onFit: (done: number, total: number) => void = () => {},
): Promise<ChosenFit> {
  const total = FOLDS * STRENGTHS.length + 1;
  const gram = computeGram(data);
  let fits = makeFolds(data);
  let best: { readonly C: number; readonly accuracy: number; readonly start: Float64Array } | undefined;
  const accuracies: number[] = [];
  for (const C of STRENGTHS) {
    const precondition = logisticPrecondition(data, gram, { C, w: fits[0]!.w });
    const next: Fold[] = [];
    for (const { train, held, w } of fits) {
      next.push({ train, held, w: fitLogistic(train, C, w, stop, precondition).x });
      onFit(accuracies.length * FOLDS + next.length, total);
      await setImmediate(); // a notebook draws, an interrupt gets through
    }
    fits = next;
    const accuracy = mean(fits.map(({ held, w }) => logisticAccuracy(w, held)));
    accuracies.push(accuracy);
    if (!best || accuracy > best.accuracy) best = { C, accuracy, start: averageVectors(fits.map(({ w }) => w)) };
  }
  const { C, start } = best!;
  const fit = fitLogistic(data, C, start, stop, logisticPrecondition(data, gram, { C, w: start }));
  onFit(total, total);
  return { ...fit, C, accuracies };
}

/** A fold's rows to fit and to hold out, and the weights so far. */
interface Fold {
  readonly train: LabelledRows;
  readonly held: LabelledRows;
  readonly w: Float64Array;
}

function makeFolds(data: LabelledRows): readonly Fold[] {
  const fold = stratifiedFolds(data.labels);
  return Array.from({ length: FOLDS }, (_, held) => ({
    train: pick(data, (i) => fold[i] !== held),
    held: pick(data, (i) => fold[i] === held),
    w: new Float64Array(data.classes * data.width),
  }));
}

/** The rows whose index passes. */
function pick(data: LabelledRows, passes: (index: number) => boolean): LabelledRows {
  const { rows, width, labels } = data;
  const kept = labels.flatMap((_, i) => (passes(i) ? [i] : []));
  const picked = new Float64Array(kept.length * width);
  for (const [to, from] of kept.entries()) picked.set(rows.subarray(from * width, (from + 1) * width), to * width);
  return { ...data, rows: picked, labels: kept.map((i) => labels[i]!) };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

const averageVectors = (vectors: readonly Float64Array[]): Float64Array =>
  vectors[0]!.map((_, j) => mean(vectors.map((vector) => vector[j]!)));
