import { KitError, shown } from "../error.ts";
import type { MaskedPrompt } from "../text/maskedPrompt.ts";
import type { Fields, Rows } from "./read/table.ts";

/** How an example is put to a model: the prompt, and the candidate answers with their leading space. */
export interface Form<Prompt> {
  readonly prompt: Prompt;
  readonly options: readonly string[];
}

/** One example in the forms that its task has, with the right answers. */
export interface Example {
  /** For models that continue a text (Table 14). */
  readonly autoregressive?: Form<string>;
  /** For models that fill a mask (Table 13). */
  readonly masked?: Form<MaskedPrompt>;
  /** Indices of the options that count as right; training aims at the first. */
  readonly gold: readonly number[];
}

/** How answers are found and scored: the accuracy of the likeliest candidate, or the mean token F1 of greedily generated text. */
export type Metric = "accuracy" | "F1";

/** What training minimizes: cross entropy over the candidates, or over the right answer's tokens (the authors' choice for COPA, ReCoRD, SQuAD and DROP). */
export type Loss = "candidates" | "answer";

/** The two functions that put a row into a form. */
export interface FormDefinition<Prompt, Row = Fields> {
  prompt(row: Row): Prompt;
  options(row: Row): readonly string[];
}

/**
 * A task is data: how a row becomes a prompt, candidate answers and the right ones (Tables 13 and 14). For an unusable row its functions
 * throw a KitError whose message continues "train.tsv line 7: …".
 */
export interface TaskDefinition<Row = Fields> {
  readonly name: string;
  readonly metric: Metric;
  readonly loss: Loss;
  readonly autoregressive?: FormDefinition<string, Row>;
  readonly masked?: FormDefinition<MaskedPrompt, Row>;
  gold(row: Row): readonly number[];
  /** The rows of one record of a file, where that is more than a row (a passage with its questions). */
  unpack?(record: Fields): readonly Row[];
  /** "none" where each row has candidate answers of its own, so that there is no majority class. */
  readonly classes?: "none";
  /** The authors' number of dev examples where it is not 500 (CB and COPA: 100). */
  readonly devSize?: number;
  /** Rows that need no network and no folder. Without them the task's samples are used, marked as such. */
  defaultRows?(): Promise<Rows>;
}

/** How many rows were left out, and why: they repeat an earlier row, have its text and another right answer, or have no label. */
export interface Dropped {
  readonly reason: "repeated" | "contradicting" | "unlabelled";
  readonly rows: number;
}

/** A task with its examples drawn: what `loadTask` returns. */
export interface Task {
  readonly name: string;
  readonly metric: Metric;
  readonly loss: Loss;
  readonly classes?: "none";
  /** Where the rows came from, for the run header. */
  readonly data: string;
  /** Rows that were left out of all parts. */
  readonly dropped?: readonly Dropped[];
  /** A remark on the parts, such as on rows that were left out and classes with too few rows. */
  readonly remark?: string;
  readonly train: readonly Example[];
  readonly dev: readonly Example[];
  readonly test: readonly Example[];
  /** What demonstrations are drawn from where that is more than `train`: the whole train file, as in the authors' code. */
  readonly pool?: readonly Example[];
}

/**
 * Returns the example. Throws a KitError where its forms have no options or different numbers of them, where a right answer is not among
 * them, and where two options to choose from are the same. Answers that are written out (F1) may repeat, as each is right.
 */
export function checkExample(example: Example, { metric }: TaskDefinition): Example {
  const { autoregressive, masked, gold } = example;
  const counts = [autoregressive, masked].filter((form) => form !== undefined).map(({ options }) => options.length);
  const [count = 0, other = count] = counts;
  if (count === 0) throw new KitError("the row gives no options to choose from; give at least one.");
  if (other !== count)
    throw new KitError(
      `the row has ${count} options for autoregressive models and ${other} for masked ones; give the same number.`,
    );
  for (const form of metric === "accuracy" ? [autoregressive, masked] : []) checkDifferent(form?.options ?? []);
  const outside = gold.find((index) => !(Number.isInteger(index) && index >= 0 && index < count));
  if (gold.length === 0 || outside !== undefined)
    throw new KitError(
      `the right answers [${gold.join(", ")}] are not among the ${count} options, counted from 0; name at least one of them.`,
    );
  return example;
}

function checkDifferent(options: readonly string[]): void {
  const twice = options.find((option, i) => options.indexOf(option) !== i);
  if (twice === undefined) return;
  throw new KitError(
    `two of the options are ${shown(twice)}, so the model cannot choose between them; give other words.`,
  );
}
