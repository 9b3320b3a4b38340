import { setImmediate } from "node:timers/promises";
import type { LanguageModel } from "../models/network.ts";
import { generate } from "../nn/generate.ts";
import type { Network } from "../nn/network.ts";
import type { Score } from "../record/run.ts";
import { matchesExactly, tokenF1 } from "../tasks/answers.ts";
import { accuracyOf, meanScore } from "../tasks/score.ts";
import type { Metric, Task } from "../tasks/task.ts";
import { encodeGeneration } from "../text/prompt.ts";
import { candidateScores } from "./candidates.ts";
import { type Begin, formOf, type LabelledBatch } from "./encode.ts";
import { answerLoss, lossOfScores } from "./loss.ts";
import { passesOf } from "./passes.ts";

/** Longest generated answer, in tokens (the authors' setting). */
const MAX_NEW_TOKENS = 50;

/** A generated answer and the right ones. */
export interface GeneratedAnswer {
  readonly answer: string;
  readonly right: readonly string[];
}

/** Settings of generation: the begin token, and demonstrations for each example of the batch. */
export interface GenerateOptions {
  readonly begin?: Begin;
  readonly demonstrations?: (index: number) => readonly string[];
}

/** Answers generated greedily after each example's prompt, up to the end of the line or of the text, or 50 tokens. */
export async function generateAnswers(
  model: LanguageModel,
  { texts }: Pick<LabelledBatch, "texts">,
  { begin = "mezo", demonstrations = () => [] }: GenerateOptions = {},
): Promise<GeneratedAnswer[]> {
  const { tokenizer, maxLength } = model;
  const forms = texts.map((example) => formOf(example, "autoregressive"));
  const prompts = forms.map(({ prompt, options }, i) =>
    encodeGeneration({
      ...{ tokenizer, begin: model.begin[begin], maxLength, prompt, options },
      demonstrations: demonstrations(i),
    }),
  );
  const answers: string[] = [];
  const text = (ids: readonly number[]): string => tokenizer.decode(ids);
  for (const items of passesOf(prompts.map((ids) => ids.length))) {
    const part = items.map((i) => prompts[i]!);
    const made = await generate(model, part, {
      maxNewTokens: MAX_NEW_TOKENS,
      stop: (ids) => text(ids).includes("\n"),
      ...(model.end !== undefined && { end: model.end }),
    });
    made.forEach((ids, i) => {
      answers[items[i]!] = text(ids).split("\n")[0]!;
    });
  }
  return forms.map(({ options }, i) => ({ answer: answers[i]!, right: options }));
}

/**
 * Any number to be made large by training: the tuner sees its negative. It may be as rough as it likes, since MeZO needs no
 * gradient (Section 3.3, Table 3).
 */
export interface Measure {
  readonly name: string;
  of(model: LanguageModel & Network, batch: LabelledBatch): number | Promise<number>;
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Share of the batch's examples whose best candidate is right (Table 3). */
export const accuracy: Measure = {
  name: "accuracy",
  of: async (model, { examples, gold }) => {
    const scores = await candidateScores(model, examples);
    return mean(scores.map((of, i) => (gold[i]!.includes(of.indexOf(Math.max(...of))) ? 1 : 0)));
  },
};

/** Mean token F1 of greedily generated answers (Table 3: SQuAD). */
export const f1: Measure = generated("F1", tokenF1);

/** Share of greedily generated answers that match a right one exactly, after SQuAD's normalization. */
export const exactMatch: Measure = generated("exact match", matchesExactly);

function generated(name: string, score: (answer: string, right: readonly string[]) => number): Measure {
  return {
    name,
    of: async (model, batch) => {
      const answers = await generateAnswers(model, batch, { begin: batch.begin });
      return mean(answers.map(({ answer, right }) => score(answer, right)));
    },
  };
}

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
      values.push(
        ...answers.map(({ answer, right }) => ({ f1: tokenF1(answer, right), exact: matchesExactly(answer, right) })),
      );
      onDone(values.length);
    }
    const { mean: score, standardError, n } = meanScore(values.map((value) => value.f1));
    const exact = meanScore(values.map((value) => value.exact)).mean;
    return { on, step, score, standardError, n, loss: await answerLoss(model, part), exactMatch: exact };
  };
}
