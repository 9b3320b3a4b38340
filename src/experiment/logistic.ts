import { cholesky, choleskySolve, dotOf } from "./cholesky.ts";
import { type Minimum, minimize, type Precondition, type Smooth, type StopAt } from "./lbfgs.ts";

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
export function gramOf({ rows, width, labels }: LabelledRows): Float64Array {
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
  for (let k = 0; k < logits.length; k++) logits[k] = dotOf(row, w, k * row.length, row.length);
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
