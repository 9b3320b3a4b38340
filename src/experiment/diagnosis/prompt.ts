import type { LanguageModel } from "../../models/model.ts";
import { hasClasses, majority } from "../../tasks/majority.ts";
import { meanScore } from "../../tasks/score.ts";
import type { Metric, Task } from "../../tasks/task.ts";
import { type Begin, encodeBatch } from "../encode.ts";
import { scorerFor } from "../scorer.ts";

/** A mean score between 0 and 1, and its standard error. */
export interface Measured {
  readonly score: number;
  readonly standardError: number;
}

/** Whether the prompt makes the model know anything of the task before it is tuned, on the dev part. */
export interface PromptCheck {
  readonly metric: Metric;
  readonly rows: number;
  readonly zeroShot: Measured;
  /** What knows nothing: the training part's most frequent class, a guess among each row's answers; absent where answers are written out. */
  readonly floor?: Measured & { readonly name: "the majority class" | "guessing" };
  /** By how many standard errors of their difference zero-shot is above that. */
  readonly above?: number;
}

/** Scores the model on the dev part as it is, beside what knows nothing. */
export async function promptCheck(
  model: LanguageModel,
  task: Task,
  begin: Begin,
  onDone: (done: number) => void,
): Promise<PromptCheck> {
  const dev = encodeBatch(model, task.dev, begin);
  const { score, standardError } = await scorerFor(model, task, begin)({ ...dev, on: "dev", step: 0 }, onDone);
  const found = { metric: task.metric, rows: task.dev.length, zeroShot: { score, standardError } };
  const floor = floorOf(task, model.prompts);
  if (!floor) return found;
  const above = (score - floor.score) / Math.hypot(standardError, floor.standardError);
  return { ...found, floor, ...(Number.isFinite(above) && { above }) };
}

function floorOf(task: Task, prompts: LanguageModel["prompts"]): PromptCheck["floor"] {
  if (task.metric !== "accuracy") return undefined;
  if (hasClasses(task)) {
    const { accuracy: score, standardError } = majority({ ...task, test: task.dev });
    return { name: "the majority class", score, standardError };
  }
  const { mean, standardError } = meanScore(task.dev.map((row) => row.gold.length / row[prompts]!.options.length));
  return { name: "guessing", score: mean, standardError };
}
