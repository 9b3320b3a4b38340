import type { LanguageModel } from "../models/model.ts";
import { demonstrations } from "../tasks/demonstrations.ts";
import { majority } from "../tasks/majority.ts";
import type { Task } from "../tasks/task.ts";
import type { Progress } from "../tensor/progress.ts";
import { type Begin, encodeExample } from "./encode.ts";
import { runHeader } from "./header.ts";
import { peakBytes, resetPeak } from "./memory.ts";
import type { Run } from "./run.ts";
import { scoreOn } from "./score.ts";

/** Settings of an evaluation without training. */
export interface EvaluateOptions {
  /** Demonstrations before each example: 0 is zero-shot, the paper's ICL has 32. */
  readonly shots?: number;
  readonly seed?: number;
  readonly begin?: Begin;
  readonly onProgress?: Progress;
}

/**
 * Scores the model on the task's test part as it is: zero-shot, or in context with demonstrations drawn anew for each example from
 * the training part (Table 1, "Zero-shot" and "ICL").
 */
export async function evaluate(
  model: LanguageModel,
  task: Task,
  { shots = 0, seed = 0, begin = "mezo", onProgress = () => {} }: EvaluateOptions = {},
): Promise<Run> {
  resetPeak();
  const started = performance.now();
  const method = shots === 0 ? "Zero-shot" : "ICL";
  const total = task.test.length;
  const examples = task.test.map((example, index) => {
    onProgress({ label: `${method}: prompts`, done: index + 1, total });
    return encodeExample(model, example, begin, shots === 0 ? [] : demonstrations(task.train, { shots, seed, index }));
  });
  const gold = task.test.map((example) => example.gold);
  const score = scoreOn(model, { examples, gold }, { on: "test", step: 0 }, (done) =>
    onProgress({ label: method, done, total }),
  );
  const cost = { seconds: (performance.now() - started) / 1e3, steps: 0, peakBytes: peakBytes() };
  return { header: runHeader({ model, task, seed }, method, { shots, begin }), steps: [], scores: [score], cost };
}

/** The floor of every method: always the most frequent label of the training part. */
export function evaluateMajority(task: Task, seed = 0): Run {
  const { label, ...score } = majority(task);
  const test = { on: "test", step: 0, ...score } as const;
  return {
    header: runHeader({ task, seed }, "Majority", { label }),
    steps: [],
    scores: [test],
    cost: { seconds: 0, steps: 0, peakBytes: 0 },
  };
}
