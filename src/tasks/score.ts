import { KitError } from "../error.ts";

/** A share of right answers, its binomial standard error √(a(1−a)/n), both between 0 and 1, and the number of answers. */
export interface Accuracy {
  readonly accuracy: number;
  readonly standardError: number;
  readonly n: number;
}

/** A mean of scores, its standard error (sample standard deviation / √n; 0 for one score), and their number. */
export interface MeanScore {
  readonly mean: number;
  readonly standardError: number;
  readonly n: number;
}

/** The accuracy of `right` answers out of `n`; throws where there are no answers or more right ones than answers. */
export function accuracyOf(right: number, n: number): Accuracy {
  if (!(n >= 1 && right >= 0 && right <= n)) {
    throw new KitError(`Asked for the accuracy of ${right} right answers out of ${n}; score at least one answer.`);
  }
  const accuracy = right / n;
  return { accuracy, standardError: Math.sqrt((accuracy * (1 - accuracy)) / n), n };
}

/** The mean of scores such as F1, one an answer; throws where there are none. */
export function meanScore(scores: readonly number[]): MeanScore {
  const n = scores.length;
  if (n === 0) throw new KitError("Asked for the mean score of no answers; score at least one.");
  const mean = scores.reduce((sum, score) => sum + score, 0) / n;
  const squares = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0);
  return { mean, standardError: n === 1 ? 0 : Math.sqrt(squares / (n - 1) / n), n };
}
