import type { Adapter } from "../adapters/adapter.ts";
import { listQueriesAndValues, lora, loraNames } from "../adapters/lora.ts";
import { prefix } from "../adapters/prefix.ts";
import { type Execution, type Forming, predictBytes, residentOf, scoringPlan, totalBytes } from "../experiment/cost.ts";
import { TOKENS_PER_PASS } from "../loss/passes.ts";
import { EXAMPLES_PER_REPORT } from "../loss/score.ts";
import { type ModelOutline, outlineWeight } from "../models/outline.ts";
import type { PredictedBytes } from "../record/run.ts";
import { findTask } from "../tasks/index.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { adam } from "../tuners/adam.ts";
import { isMarked, type Method, paperMethods, type TrainingMethod } from "./methods.ts";
import { backpropagation } from "./runMethod.ts";

export { TOKENS_PER_PASS };

/** A model and a batch whose memory is asked for, before anything is loaded. */
export interface MemoryQuestion {
  readonly model: ModelOutline;
  readonly forming: Forming;
  /** Examples a step. */
  readonly batchSize: number;
  /** Of an example. */
  readonly tokens: number;
  /** Demonstrations of as many tokens before each example, for in-context learning. */
  readonly shots: number;
  /** Whether backpropagation keeps each layer's input only. */
  readonly checkpointing: boolean;
}

/** What a method is predicted to hold at its widest moment. */
export interface MethodMemory {
  readonly method: string;
  readonly bytes: PredictedBytes;
}

/** What each of the paper's methods needs that a model can be used with, from shapes alone; with a prefix and LoRA as the paper has them. */
export function planMemory(question: MemoryQuestion): MethodMemory[] {
  return methodsFor(question).map((method) => ({ method: method.name, bytes: predictMethod(method, question) }));
}

/**
 * The largest batch of a training method that fits in so many bytes: 0 where not one example does, Infinity where all do, since passes are of
 * bounded size. Undefined for a method that takes no steps.
 */
export function largestBatch(method: string, question: MemoryQuestion, most: number): number | undefined {
  const training = methodsFor(question).find(({ name }) => name === method)!;
  if (!("trainer" in training)) return undefined;
  const fits = (batchSize: number): boolean => totalBytes(predictMethod(training, { ...question, batchSize })) <= most;
  let [good, bad] = [0, Math.ceil(TOKENS_PER_PASS / question.tokens)];
  if (fits(bad)) return Number.POSITIVE_INFINITY;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (fits(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

function methodsFor({ model }: MemoryQuestion): (Method | TrainingMethod)[] {
  const task = findTask("SST-2");
  return paperMethods.filter(({ name, reasonAgainst }) => isMarked(name) && !reasonAgainst?.(task, model.prompts));
}

/** The wider of a training's passes and of scoring's. */
function predictMethod(method: Method | TrainingMethod, question: MemoryQuestion): PredictedBytes {
  const { model, forming, batchSize, tokens, shots, checkpointing } = question;
  const shown = method.name === "ICL" ? Math.min(model.maxLength, (shots + 1) * tokens) : tokens;
  const atOnce = method.name === "LP" ? TOKENS_PER_PASS : EXAMPLES_PER_REPORT; // probing runs as many as fit a pass
  const scoring = { ...scoringPlan(model, repeat(atOnce, shown)), forming };
  if (!("trainer" in method)) return predictBytes(scoring);
  const theta = method.adapter ? adapterWeights(model, method.adapter({})) : model.parameters;
  const resident = residentOf(method.trainer === backpropagation ? adam({ lr: 1 }) : {}, theta);
  const execution: Execution = resident.gradients === 0 ? "pair" : checkpointing ? "checkpointed" : "backward";
  const plans = [
    { network: model, theta, execution, lengths: repeat(batchSize, tokens), resident, forming },
    { ...scoring, theta, resident: { ...resident, gradients: 0 } },
  ];
  return plans.map(predictBytes).reduce((a, b) => (totalBytes(b) > totalBytes(a) ? b : a));
}

const repeat = (count: number, value: number): number[] => Array.from({ length: count }, () => value);

/** The weights that an adapter would make, as shapes. */
function adapterWeights(model: ModelOutline, { name, options }: Adapter): Parameter[] {
  if (name === lora().name)
    return listQueriesAndValues(model).flatMap(({ name, out, from }) => {
      const { a, b } = loraNames(name);
      const rank = Number(options.rank);
      return [outlineWeight(a, [rank, from]), outlineWeight(b, [out, rank])];
    });
  const shape = [Number(prefix().options.length), model.keyWidth];
  return model.layers.flatMap((_, i) =>
    ["keys", "values"].map((part) => outlineWeight(`prompt_embeddings.layers.${i}.${part}`, shape)),
  );
}
