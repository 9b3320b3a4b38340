import { checkOptions, KitError } from "../error.ts";
import { type Begin, checkBegin, encodeExample } from "../loss/encode.ts";
import { scoreCandidates } from "../loss/score.ts";
import type { LanguageModel } from "../models/network.ts";
import { makeQuestion } from "../tasks/examples.ts";
import { definitionOf } from "../tasks/index.ts";
import type { Fields } from "../tasks/read/table.ts";
import type { Forms, Task, TaskDefinition } from "../tasks/task.ts";
import type { Progress } from "../tensor/progress.ts";
import { strip } from "../text/prompt.ts";
import { checkFinite } from "./checkFinite.ts";

/** What a model answers to a text. */
export interface Answer {
  /** The likeliest class, by the name that its data has for it; of tasks of the kit the answer's words. */
  readonly label: string;
  /** Of that class. */
  readonly probability: number;
  /** By label; they add up to 1. */
  readonly probabilities: Readonly<Record<string, number>>;
}

/** Settings of classifying texts. */
export interface ClassifyOptions {
  /** The begin token that the model was tuned with, or else "mezo", unless another is given. */
  readonly begin?: Begin;
  readonly onProgress?: Progress;
}

/**
 * What the model, with its weights as they are now, answers to each text or row, in their order. A text stands for a row with that text in
 * the task's only text column; rows have the task's columns, and need no label. The probabilities are the softmax over the
 * classes' scores as training's loss has them: the mean log-probability of each answer's tokens. The likeliest is the
 * answer that `evaluate` and `tune` count. Throws a KitError for a row that the task cannot use, with its number, and for tasks whose
 * answers are written out.
 */
export async function classify(
  model: LanguageModel,
  task: string | TaskDefinition | Task,
  texts: readonly (string | Fields)[],
  options: ClassifyOptions = {},
): Promise<Answer[]> {
  const { begin = model.tunedBegin ?? "mezo", onProgress = () => {}, ...unknown } = options;
  checkOptions("classify", unknown, ["begin", "onProgress"]);
  checkBegin(begin);
  const definition = definitionOf(task);
  if (definition.metric === "F1")
    throw new KitError(
      `Texts were to be classified by ${definition.name}, whose answers are written out: write them with generate.`,
    );
  const questions = texts.map((text, i) => numbered(i, () => makeQuestion(definition, text)));
  const examples = questions.map((question, i) => numbered(i, () => encodeExample(model, question, begin)));
  const report = (done: number): void => onProgress({ label: "classify", done, total: texts.length });
  const scores = await scoreCandidates(model, examples, report);
  await checkFinite(model, scores.flat());
  return scores.map((of, i) => makeAnswer(of, definition.classNames ?? listOptions(questions[i]!)));
}

function numbered<Value>(i: number, make: () => Value): Value {
  try {
    return make();
  } catch (error) {
    throw error instanceof KitError ? new KitError(`Text ${i + 1}: ${error.message}`) : error;
  }
}

/** The options' own words. */
export function listOptions({ autoregressive, masked }: Forms): string[] {
  return ((autoregressive ?? masked)?.options ?? []).map(strip);
}

function makeAnswer(scores: readonly number[], labels: readonly string[]): Answer {
  const best = scores.indexOf(Math.max(...scores));
  const probabilities = softmax(scores);
  return {
    label: labels[best]!,
    probability: probabilities[best]!,
    probabilities: Object.fromEntries(probabilities.map((p, i) => [labels[i]!, p])),
  };
}

/** Probabilities in proportion to the exponentials of scores. */
export function softmax(scores: readonly number[]): number[] {
  const top = Math.max(...scores);
  const shares = scores.map((score) => Math.exp(score - top));
  const total = shares.reduce((sum, share) => sum + share, 0);
  return shares.map((share) => share / total);
}
