import { setImmediate } from "node:timers/promises";
import type { LanguageModel } from "../models/model.ts";
import { exactMatch } from "../tasks/exactMatch.ts";
import { f1 } from "../tasks/f1.ts";
import { accuracyOf, meanScore } from "../tasks/score.ts";
import type { Metric, Task } from "../tasks/task.ts";
import { candidateScores } from "./candidateScores.ts";
import type { Begin, LabelledBatch } from "./encode.ts";
import { generateAnswers } from "./generateAnswers.ts";
import { answerLoss, lossOfScores } from "./losses.ts";
import type { Score } from "./run.ts";

/** How many examples are scored between two reports of progress. */
export const EXAMPLES_PER_REPORT = 64;

/** A part of the data to score, and what to call it; demonstrations for its examples where it is done in context. */
export interface Part extends LabelledBatch {
  readonly on: Score["on"];
  readonly step: number;
  readonly demonstrations?: (index: number) => readonly string[];
}

/** A score with the mean of the loss that training minimizes. */
export type LossScore = Score & { readonly loss: number };

/** Scores a part of the data with the weights as they are, telling how many examples are done. */
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
  return async (part, onDone = () => {}) => {
    const { examples, gold, on, step } = part;
    const scores: number[][] = [];
    for (let from = 0; from < examples.length; from += EXAMPLES_PER_REPORT) {
      await setImmediate(); // lets a notebook draw, and an interrupt in
      scores.push(...(await candidateScores(model, examples.slice(from, from + EXAMPLES_PER_REPORT))));
      onDone(scores.length);
    }
    const right = scores.filter((of, i) => gold[i]!.includes(of.indexOf(Math.max(...of)))).length;
    const { accuracy, standardError, n } = accuracyOf(right, examples.length);
    const loss = task.loss === "candidates" ? lossOfScores(scores, gold) : await answerLoss(model, part);
    return { on, step, score: accuracy, standardError, n, loss };
  };
}

/** Token F1 of generated answers, and beside it the share that matches exactly. */
function generationScorer(model: LanguageModel, _task: Task, begin: Begin): Scorer {
  return async (part, onDone = () => {}) => {
    const { texts, on, step, demonstrations = () => [] } = part;
    const values: { f1: number; exact: number }[] = [];
    for (let from = 0; from < texts.length; from += EXAMPLES_PER_REPORT) {
      await setImmediate(); // lets a notebook draw, and an interrupt in
      const some = { texts: texts.slice(from, from + EXAMPLES_PER_REPORT) };
      const answers = await generateAnswers(model, some, { begin, demonstrations: (i) => demonstrations(from + i) });
      values.push(...answers.map(({ answer, right }) => ({ f1: f1(answer, right), exact: exactMatch(answer, right) })));
      onDone(values.length);
    }
    const { mean: score, standardError, n } = meanScore(values.map((value) => value.f1));
    const exact = meanScore(values.map((value) => value.exact)).mean;
    return { on, step, score, standardError, n, loss: await answerLoss(model, part), exactMatch: exact };
  };
}
