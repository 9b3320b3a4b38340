import { KitError } from "../error.ts";
import type { Example, Task } from "./task.ts";

/** A share of right answers and its binomial standard error √(a(1−a)/n), both between 0 and 1, and the number of answers. */
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

/** The accuracy of answers, 1 for each right one and 0 for each wrong one. Throws a KitError where there are none. */
export function computeAccuracy(marks: readonly number[]): Accuracy {
  const n = marks.length;
  if (n === 0) throw new KitError("Asked for the accuracy of no answers; score at least one.");
  const accuracy = marks.reduce((sum, mark) => sum + mark, 0) / n;
  return { accuracy, standardError: Math.sqrt((accuracy * (1 - accuracy)) / n), n };
}

/** The mean of scores such as F1, one per answer. Throws a KitError where there are none. */
export function computeMeanScore(scores: readonly number[]): MeanScore {
  const n = scores.length;
  if (n === 0) throw new KitError("Asked for the mean score of no answers; score at least one.");
  const mean = scores.reduce((sum, score) => sum + score, 0) / n;
  const squares = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0);
  return { mean, standardError: n === 1 ? 0 : Math.sqrt(squares / (n - 1) / n), n };
}

/** The most frequent label of the training part and how it scores on the test part, as a whole and row by row. */
export interface Majority extends Accuracy {
  readonly label: number;
  readonly rows: readonly number[];
}

/**
 * The score of always answering the most frequent training label (the lower one on a tie): the floor of every method. Throws a
 * KitError where the rows share no classes.
 */
export function scoreMajority(task: Task): Majority {
  if (!hasClasses(task)) {
    throw new KitError(
      `The majority class of ${task.name} was asked for, but its rows have no classes in common: compare with zero-shot instead.`,
    );
  }
  const counts = countClasses(task.train);
  const label = counts.indexOf(Math.max(...counts));
  const rows = task.test.map(({ gold }) => Number(gold.includes(label)));
  return { label, ...computeAccuracy(rows), rows };
}

/** Whether all examples choose among the same classes, such as true and false: not where answers are written out, or each row has its own number of options. */
export function hasClasses({ metric, classes, train, dev, test }: Omit<Task, "name" | "loss" | "data">): boolean {
  const counts = [...train, ...dev, ...test].map(countOptions);
  return metric === "accuracy" && classes !== "none" && counts.every((count) => count === counts[0]);
}

/** How many examples have each label (their first right answer), [labels]. */
export function countClasses(examples: readonly Example[]): number[] {
  const counts = new Array<number>(Math.max(0, ...examples.map(countOptions))).fill(0);
  for (const { gold } of examples) counts[gold[0]!] = counts[gold[0]!]! + 1;
  return counts;
}

function countOptions({ autoregressive, masked }: Example): number {
  return (autoregressive ?? masked)?.options.length ?? 0;
}
