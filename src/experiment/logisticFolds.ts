import { setImmediate } from "node:timers/promises";
import type { Minimum, StopAt } from "./lbfgs.ts";
import { fitLogistic, gramOf, type LabelledRows, logisticAccuracy, logisticPrecondition } from "./logistic.ts";

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
 * folds' fits. Unlike scikit-learn's, which also stops at a relative decrease of 2e-9, fits go on to `stop.tolerance`.
 */
export async function fitLogisticCV(
  data: LabelledRows,
  stop: StopAt,
  onFit: (done: number, total: number) => void = () => {},
): Promise<ChosenFit> {
  const total = FOLDS * STRENGTHS.length + 1;
  const gram = gramOf(data);
  let fits = foldsOf(data);
  let best: { readonly C: number; readonly accuracy: number; readonly start: Float64Array } | undefined;
  const accuracies: number[] = [];
  for (const C of STRENGTHS) {
    const precondition = logisticPrecondition(data, gram, { C, w: fits[0]!.w });
    const next: Fold[] = [];
    for (const { train, held, w } of fits) {
      next.push({ train, held, w: fitLogistic(train, C, w, stop, precondition).x });
      onFit(accuracies.length * FOLDS + next.length, total);
      await setImmediate(); // lets a notebook draw, and an interrupt in
    }
    fits = next;
    const accuracy = mean(fits.map(({ held, w }) => logisticAccuracy(w, held)));
    accuracies.push(accuracy);
    if (!best || accuracy > best.accuracy) best = { C, accuracy, start: meanOf(fits.map(({ w }) => w)) };
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

function foldsOf(data: LabelledRows): readonly Fold[] {
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

const meanOf = (vectors: readonly Float64Array[]): Float64Array =>
  vectors[0]!.map((_, j) => mean(vectors.map((vector) => vector[j]!)));
