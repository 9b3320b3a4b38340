import type { LanguageModel } from "../../models/model.ts";
import type { Task } from "../../tasks/task.ts";
import type { Objective } from "../../tuners/tuner.ts";
import { type Begin, checkBegin, encodeBatch } from "../encode.ts";
import { objectiveFor } from "../objective.ts";

/** Which rows. */
export interface TaskObjectiveOptions {
  /** Of the training part, from its first on (64). */
  readonly examples?: number;
  readonly begin?: Begin;
}

/** The task's loss on the same training examples each time, as a function of the model's weights: what a tuner's step sees, and what a landscape is of. */
export function taskObjective(
  model: LanguageModel,
  task: Task,
  { examples = 64, begin = "mezo" }: TaskObjectiveOptions = {},
): Objective {
  checkBegin(begin);
  return objectiveFor(model, task, {})(encodeBatch(model, task.train.slice(0, examples), begin));
}
