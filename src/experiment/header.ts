import { createRequire } from "node:module";
import * as tf from "@tensorflow/tfjs";
import type { LanguageModel } from "../models/model.ts";
import type { Task } from "../tasks/task.ts";
import { threadCount } from "../tensor/native/session.ts";
import type { RunHeader } from "./run.ts";

const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };

/** The version of this kit, as package.json has it. */
export const KIT_VERSION: string = version;

/** What a run depends on, beside the method and its own settings; `model` is absent for methods that use none. */
export interface Setting {
  readonly model?: LanguageModel;
  readonly task: Task;
  readonly seed: number;
}

/** The header of a run. */
export function runHeader({ model, task, seed }: Setting, method: string, options: RunHeader["options"]): RunHeader {
  return {
    kit: KIT_VERSION,
    model: model?.id ?? "none",
    weightsHash: model?.weightsHash ?? "none",
    ...(model?.kept !== undefined && { weights: model.kept }),
    backend: tf.engine().backendName ?? "none",
    threads: threadCount(),
    task: task.name,
    data: task.data,
    ...(task.remark !== undefined && { remark: task.remark }),
    split: { train: task.train.length, dev: task.dev.length, test: task.test.length },
    metric: task.metric,
    prompts: model?.prompts ?? "none",
    seed,
    method,
    options,
  };
}
