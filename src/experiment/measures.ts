import type { LanguageModel } from "../models/model.ts";
import type { Network } from "../nn/network.ts";
import { exactMatch as matches } from "../tasks/exactMatch.ts";
import { f1 as overlap } from "../tasks/f1.ts";
import { candidateScores } from "./candidateScores.ts";
import type { LabelledBatch } from "./encode.ts";
import { generateAnswers } from "./generateAnswers.ts";

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
export const f1: Measure = generated("F1", overlap);

/** Share of greedily generated answers that match a right one exactly, after SQuAD's normalization. */
export const exactMatch: Measure = generated("exact match", matches);

function generated(name: string, score: (answer: string, right: readonly string[]) => number): Measure {
  return {
    name,
    of: async (model, batch) => {
      const answers = await generateAnswers(model, batch, { begin: batch.begin });
      return mean(answers.map(({ answer, right }) => score(answer, right)));
    },
  };
}
