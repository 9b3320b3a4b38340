import { KitError, shown } from "../error.ts";
import type { Example, TaskDefinition } from "./task.ts";

const KEYS = [
  "name",
  "metric",
  "loss",
  "autoregressive",
  "masked",
  "gold",
  "rowsOf",
  "classes",
  "devSize",
  "defaultRows",
];

/** The definition itself; throws a KitError that says what of `TaskDefinition` it lacks or has too much. */
export function checkDefinition(definition: TaskDefinition): TaskDefinition {
  const { name, metric, loss, autoregressive, masked, gold } = definition;
  const wrong = (what: string): KitError => new KitError(`The definition of the task ${shown(name)} ${what}.`);
  const unknown = Object.keys(definition).filter((key) => !KEYS.includes(key));
  if (unknown.length > 0) throw wrong(`has ${unknown.join(", ")}, which no task has: it may have ${KEYS.join(", ")}`);
  if (typeof name !== "string" || name.trim() === "") throw wrong("needs a name");
  if (metric !== "accuracy" && metric !== "F1") throw wrong(`needs the metric "accuracy" or "F1", not ${metric}`);
  if (loss !== "candidates" && loss !== "answer") throw wrong(`needs the loss "candidates" or "answer", not ${loss}`);
  if (!autoregressive && !masked)
    throw wrong("needs a form: autoregressive, masked or both, each with prompt and options");
  if (metric === "F1" && (masked || loss !== "answer"))
    throw wrong('is scored by F1, so its answers are generated: leave out "masked" and take the loss "answer"');
  if (masked && loss === "answer")
    throw wrong('has a masked form, whose answers are single tokens: take the loss "candidates"');
  if (typeof gold !== "function") throw wrong("needs a function gold from a row to the indices of the right options");
  return definition;
}

/**
 * The example itself; throws a KitError where its forms have no options or not as many, a right answer is none of them, or two that are to
 * be told apart are alike. Answers that are written out (F1) may repeat: each is right.
 */
export function checkExample(example: Example, { metric }: TaskDefinition): Example {
  const { autoregressive, masked, gold } = example;
  const counts = [autoregressive, masked].filter((form) => form !== undefined).map(({ options }) => options.length);
  const [count = 0, other = count] = counts;
  if (count === 0) throw new KitError("the row gives no options to choose from; give at least one.");
  if (other !== count)
    throw new KitError(
      `the row has ${count} options for autoregressive models and ${other} for masked ones; give as many.`,
    );
  for (const form of metric === "accuracy" ? [autoregressive, masked] : []) checkDifferent(form?.options ?? []);
  const outside = gold.find((index) => !(Number.isInteger(index) && index >= 0 && index < count));
  if (gold.length === 0 || outside !== undefined)
    throw new KitError(
      `the right answers [${gold.join(", ")}] are not among the ${count} options, counted from 0; name at least one of them.`,
    );
  return example;
}

function checkDifferent(options: readonly string[]): void {
  const twice = options.find((option, i) => options.indexOf(option) !== i);
  if (twice === undefined) return;
  throw new KitError(
    `two of the options are ${shown(twice)}, so that no answer can tell them apart; give other words.`,
  );
}
