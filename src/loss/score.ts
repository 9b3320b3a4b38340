import { setImmediate } from "node:timers/promises";
import type { LanguageModel } from "../models/network.ts";
import type { Network } from "../nn/network.ts";
import type { Score } from "../record/run.ts";
import { matchesExactly, tokenF1 } from "../tasks/answers.ts";
import { computeAccuracy, computeMeanScore } from "../tasks/score.ts";
import type { Metric, Task } from "../tasks/task.ts";
import type { EncodedExample } from "../text/prompt.ts";
import { candidatePasses } from "./candidates.ts";
import type { Begin, LabelledBatch } from "./encode.ts";
import { generateAnswers } from "./generation.ts";
import { computeLoss, lossFromScores } from "./loss.ts";
import { runPasses } from "./passes.ts";

/**
 * Any number that training is to maximize: the tuner sees its negative. It need not be differentiable, since MeZO needs no gradient
 * (Section 3.3, Table 3).
 */
export interface Measure {
  readonly name: string;
  of(model: LanguageModel & Network, batch: LabelledBatch): number | Promise<number>;
}

/** 1 for each example whose best candidate is right, else 0: the first of the highest scores, [examples][candidates]. */
export function markRight(scores: readonly (readonly number[])[], gold: LabelledBatch["gold"]): number[] {
  return scores.map((of, i) => Number(gold[i]!.includes(of.indexOf(Math.max(...of)))));
}

/** Share of the batch's examples whose best candidate is right (Table 3). */
export const accuracy: Measure = {
  name: "accuracy",
  of: async (model, { examples, gold }) =>
    computeAccuracy(markRight(await runPasses(model, candidatePasses(examples)), gold)).accuracy,
};

/** Mean token F1 of greedily generated answers (Table 3: SQuAD). */
export const f1: Measure = answerMeasure("F1", tokenF1);

/** Share of greedily generated answers that match a right one exactly, after SQuAD's normalization. */
export const exactMatch: Measure = answerMeasure("exact match", matchesExactly);

function answerMeasure(name: string, score: (answer: string, right: readonly string[]) => number): Measure {
  return {
    name,
    of: async (model, batch) => {
      const answers = await generateAnswers(model, batch, { begin: batch.begin });
      return answers.reduce((sum, { answer, right }) => sum + score(answer, right), 0) / answers.length;
    },
  };
}

/** How many examples are scored between two reports of progress. */
export const EXAMPLES_PER_REPORT = 64;

/** A part of the data to score, after which step; with demonstrations for its examples where the model learns in context. */
export interface Part extends LabelledBatch {
  readonly on: Score["on"];
  readonly step: number;
  readonly demonstrations?: (index: number) => readonly string[];
}

/** A score with the mean of the loss that training minimizes. */
export type LossScore = Score & { readonly loss: number };

/** Scores a part of the data with the present weights; `onDone` receives how many examples are done. */
export type Scorer = (part: Part, onDone?: (done: number) => void) => Promise<LossScore>;

/** The scorer of a task's metric. */
export function scorerFor(model: LanguageModel, task: Task, begin: Begin): Scorer {
  return scorers[task.metric](model, task, begin);
}

const scorers: Readonly<Record<Metric, (model: LanguageModel, task: Task, begin: Begin) => Scorer>> = {
  accuracy: accuracyScorer,
  F1: generationScorer,
};

/** The candidate with the highest mean log-probability per token is the answer. */
function accuracyScorer(model: LanguageModel, task: Task): Scorer {
  return async (part, onDone) => {
    const scores = await scoreCandidates(model, part.examples, onDone);
    return scoreAccuracy({ model, task, part, scores, choice: scores });
  };
}

/** A part's candidates with their scores, [examples][candidates], and what decides between them: the highest is the answer. */
interface Scored {
  readonly model: LanguageModel;
  readonly task: Task;
  readonly part: Part;
  readonly scores: readonly (readonly number[])[];
  readonly choice: readonly (readonly number[])[];
}

/** The share of right answers, with the loss. */
export async function scoreAccuracy({ model, task, part, scores, choice }: Scored): Promise<LossScore> {
  const { gold, on, step } = part;
  const rows = markRight(choice, gold);
  const { accuracy, standardError, n } = computeAccuracy(rows);
  const { loss: kind } = task;
  const loss = kind === "candidates" ? lossFromScores(kind, scores, gold) : await computeLoss(kind, model, part);
  return { on, step, score: accuracy, standardError, n, loss, ...(on === "test" && { rows }) };
}

/** The scores of each example's candidates with the present weights, [examples][candidates]: the highest is the answer. */
export function scoreCandidates(
  model: LanguageModel,
  examples: readonly EncodedExample[],
  onDone?: (done: number) => void,
): Promise<number[][]> {
  return inChunks(examples, onDone, (some, _from, onSome) => runPasses(model, candidatePasses(some), onSome));
}

/** Token F1 of generated answers, and the share that matches exactly. */
function generationScorer(model: LanguageModel, _task: Task, begin: Begin): Scorer {
  return async (part, onDone) => {
    const { texts, on, step, demonstrations = () => [] } = part;
    const answers = await inChunks(texts, onDone, (some, from, onSome) => {
      const options = { begin, demonstrations: (i: number) => demonstrations(from + i), onDone: onSome };
      return generateAnswers(model, { texts: some }, options);
    });
    const rows = answers.map(({ answer, right }) => tokenF1(answer, right));
    const { mean: score, standardError, n } = computeMeanScore(rows);
    const exact = computeMeanScore(answers.map(({ answer, right }) => matchesExactly(answer, right))).mean;
    const loss = await computeLoss("answer", model, part);
    return { on, step, score, standardError, n, loss, exactMatch: exact, ...(on === "test" && { rows }) };
  };
}

/**
 * Runs `EXAMPLES_PER_REPORT` items at a time, the first of them item `from`; in between a notebook can draw, and an interrupt gets through.
 * A run that takes several passes may tell `onSome` how many of its items are done.
 */
export async function inChunks<Item, Result>(
  items: readonly Item[],
  onDone: (done: number) => void = () => {},
  run: (some: readonly Item[], from: number, onSome: (done: number) => void) => Promise<readonly Result[]>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < items.length; from += EXAMPLES_PER_REPORT) {
    await setImmediate();
    const some = items.slice(from, from + EXAMPLES_PER_REPORT);
    results.push(...(await run(some, from, (done) => onDone(from + done))));
    onDone(results.length);
  }
  return results;
}
