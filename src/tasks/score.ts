import { KitError } from "../error.ts";

/** A share of right answers, its binomial standard error √(a(1−a)/n), both between 0 and 1, and the number of answers. */
export interface Accuracy {
  readonly accuracy: number;
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
