import * as tf from "@tensorflow/tfjs-core";
import { KitError } from "../error.ts";
import { tokenLogProbs } from "../kernels/tokenLogProbs.ts";
import { answerPasses, promptRows } from "../loss/candidates.ts";
import { type Begin, checkBegin, encodeExample, readForm } from "../loss/encode.ts";
import { generateAnswers } from "../loss/generation.ts";
import { type Pass, runPasses } from "../loss/passes.ts";
import type { LanguageModel } from "../models/network.ts";
import { drawDemonstrationSeeds, drawDemonstrations } from "../tasks/split.ts";
import type { Example, Task } from "../tasks/task.ts";
import { productsInUse } from "../tensor/backend.ts";
import type { FormedProducts } from "../tensor/products.ts";

/** Which row of a task to look at, and how it is put to the model, as `evaluate` has it. */
export interface RowChoice {
  readonly part: "train" | "dev" | "test";
  /** Counted from 1. */
  readonly row: number;
  readonly shots: number;
  readonly seed: number;
  readonly begin: Begin;
}

/** A token of a prompt, with its text as the tokenizer writes it. */
export interface ShownToken {
  readonly id: number;
  readonly text: string;
}

/** A token of an option: where it stands in the sequence that the model reads, from 0, and its log-probability there. */
export interface ScoredToken extends ShownToken {
  readonly position: number;
  readonly logProb: number;
}

/** An option, and its mean log-probability a token, by which the best option is chosen. */
export interface ShownOption {
  readonly text: string;
  readonly tokens: readonly ScoredToken[];
  readonly mean: number;
  readonly isGold: boolean;
}

/** A row of a task as a model sees it. */
export interface RowView extends RowChoice {
  readonly task: string;
  readonly model: string;
  /** How the matrix products behind the numbers are formed. */
  readonly products: FormedProducts;
  /** How many rows the part has. */
  readonly rows: number;
  /** What stands before the options; with a masked model the whole sequence, in which an option takes the place of the mask. */
  readonly prompt: readonly ShownToken[];
  /** The mask's position in the prompt, with masked models. */
  readonly mask?: number;
  readonly options: readonly ShownOption[];
  /** The index of the option that the model chooses; absent where answers are written out. */
  readonly chosen?: number;
  /** The answer that the model writes, where answers are written out. */
  readonly answer?: string;
}

/**
 * Puts one row of a task to a model as `evaluate` does, and gives every id and every number that decides. Throws a KitError where the part has no
 * such row, or the model has no form of the task.
 */
export async function viewRow(model: LanguageModel, task: Task, choice: RowChoice): Promise<RowView> {
  checkBegin(choice.begin);
  const rows = task[choice.part];
  const example = rows[choice.row - 1];
  if (!example)
    throw new KitError(
      `Row ${choice.row} of the ${choice.part} part of ${task.name} was asked for, which has ${rows.length}: choose one from 1 to ${rows.length}.`,
    );
  const demonstrations = draw(task, rows.length, choice);
  const { prompt, mask, tokens } = await score(model, example, choice.begin, demonstrations);
  const { options: texts } = readForm(example, model.prompts);
  const options = texts.map((text, i): ShownOption => {
    const own = tokens[i]!;
    const mean = own.reduce((sum, { logProb }) => sum + logProb, 0) / own.length;
    return { text, tokens: own, mean, isGold: example.gold.includes(i) };
  });
  const ending = await decide(model, task, { example, options, demonstrations, begin: choice.begin });
  const where = { task: task.name, model: model.id, products: productsInUse(model.kept), ...choice, rows: rows.length };
  return { ...where, prompt, ...(mask !== undefined && { mask }), options, ...ending };
}

/** The demonstrations that `evaluate` shows before the row. */
function draw({ train, pool = train }: Task, total: number, { row, shots, seed }: RowChoice): readonly string[] {
  if (shots === 0) return [];
  return drawDemonstrations(pool, { shots, seed: drawDemonstrationSeeds(total, seed)[row - 1]! });
}

interface Scored extends Pick<RowView, "prompt" | "mask"> {
  /** Each option's tokens. */
  readonly tokens: readonly (readonly ScoredToken[])[];
}

async function score(
  model: LanguageModel,
  example: Example,
  begin: Begin,
  demonstrations: readonly string[],
): Promise<Scored> {
  const { candidates, shared } = encodeExample(model, example, begin, demonstrations);
  const show = (ids: Int32Array): ShownToken[] => Array.from(ids, (id) => ({ id, text: textOf(model, id) }));
  if (model.prompts === "masked") {
    const { ids, at, answers } = shared!;
    const values = await runPasses(model, [maskPass(ids, at, answers)]);
    const tokens = answers.map((id, i) => [{ id, text: textOf(model, id), position: at, logProb: values[i]![0]! }]);
    return { prompt: show(ids), mask: at, tokens };
  }
  const values = await runPasses(model, answerPasses(candidates));
  const tokens = candidates.map(({ ids, optionLength }, i) => {
    const start = ids.length - optionLength;
    return show(ids.subarray(start)).map((token, j) => ({ ...token, position: start + j, logProb: values[i]![j]! }));
  });
  const { ids, optionLength } = candidates[0]!;
  return { prompt: show(ids.subarray(0, -optionLength)), tokens };
}

/** A token as text; special ones, which are left out of texts, as the vocabulary spells them. */
function textOf({ tokenizer }: LanguageModel, id: number): string {
  return tokenizer.decode([id]) || (tokenizer.token(id) ?? "");
}

/** The log-probability, over the whole vocabulary, of each answer in the place of the mask. */
function maskPass(ids: Int32Array, at: number, answers: readonly number[]): Pass {
  const prompts = answers.map(() => ({ ids, at, answers }));
  return {
    items: [...answers.keys()],
    sequences: answers.map(() => ids),
    rows: (lengths) => promptRows(prompts, lengths),
    scores: (features, { weight, bias }) => tokenLogProbs(features, weight, tf.tensor1d([...answers], "int32"), bias),
    read: (values) => [...values].map((value) => [value]),
    table: (scores) => scores,
  };
}

interface Undecided {
  readonly example: Example;
  readonly options: readonly ShownOption[];
  readonly demonstrations: readonly string[];
  readonly begin: Begin;
}

/** The likeliest option, or the answer that is written out, by the task's metric. */
async function decide(
  model: LanguageModel,
  { metric }: Task,
  { example, options, demonstrations, begin }: Undecided,
): Promise<Pick<RowView, "chosen" | "answer">> {
  if (metric === "F1") {
    const [made] = await generateAnswers(model, { texts: [example] }, { begin, demonstrations: () => demonstrations });
    return { answer: made!.answer };
  }
  const means = options.map(({ mean }) => mean);
  return { chosen: means.indexOf(Math.max(...means)) };
}
