import { KitError } from "../error.ts";
import { type Accuracy, accuracyOf } from "./score.ts";
import type { Example, Task } from "./task.ts";

/** The most frequent label of the training part and how it scores on the test part. */
export interface Majority extends Accuracy {
  readonly label: number;
}

/**
 * The score of always answering the most frequent training label (the lower one on a tie): the floor of every method. Throws where the
 * task has no labels that its rows share.
 */
export function majority(task: Task): Majority {
  if (!hasClasses(task)) {
    throw new KitError(
      `The majority class of ${task.name} was asked for, but its rows have no classes in common: compare with zero-shot instead.`,
    );
  }
  const counts = classCounts(task.train);
  const label = counts.indexOf(Math.max(...counts));
  const right = task.test.filter(({ gold }) => gold.includes(label)).length;
  return { label, ...accuracyOf(right, task.test.length) };
}

/** Whether all examples choose among the same classes, such as true and false: not where answers are written out, or each row has its own number of options. */
export function hasClasses({ metric, classes, train, dev, test }: Omit<Task, "name" | "loss" | "data">): boolean {
  const counts = [...train, ...dev, ...test].map(optionCount);
  return metric === "accuracy" && classes !== "none" && counts.every((count) => count === counts[0]);
}

/** How many examples have each label (their first right answer), [labels]. */
export function classCounts(examples: readonly Example[]): number[] {
  const counts = new Array<number>(Math.max(0, ...examples.map(optionCount))).fill(0);
  for (const { gold } of examples) counts[gold[0]!] = counts[gold[0]!]! + 1;
  return counts;
}

function optionCount({ autoregressive, masked }: Example): number {
  return (autoregressive ?? masked)?.options.length ?? 0;
}
