import { type Accuracy, accuracyOf } from "./score.ts";
import type { Task } from "./task.ts";

/** The most frequent label of the training part and how it scores on the test part. */
export interface Majority extends Accuracy {
  readonly label: number;
}

/** The score of always answering the most frequent training label (the lower one on a tie): the floor of every method. */
export function majority(task: Task): Majority {
  const counts = new Map<number, number>();
  for (const { gold } of task.train) counts.set(gold, (counts.get(gold) ?? 0) + 1);
  const [label] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0] ?? [0];
  const right = task.test.filter(({ gold }) => gold === label).length;
  return { label, ...accuracyOf(right, task.test.length) };
}
