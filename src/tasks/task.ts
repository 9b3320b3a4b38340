import { KitError, showValue } from "../error.ts";
import { MASK, type MaskedPrompt } from "../text/maskedPrompt.ts";
import type { Fields, Rows } from "./read/table.ts";

/** How an example is put to a model: the prompt, and the candidate answers with their leading space. */
export interface Form<Prompt> {
  readonly prompt: Prompt;
  readonly options: readonly string[];
  /** The prompt without what the example says, where its task has one: what calibration compares with. */
  readonly contentFree?: Prompt;
}

/** A question in the forms that its task has. */
export interface Forms {
  /** For models that continue a text (Table 14). */
  readonly autoregressive?: Form<string>;
  /** For models that fill a mask (Table 13). */
  readonly masked?: Form<MaskedPrompt>;
}

/** One example in the forms that its task has, with the right answers. */
export interface Example extends Forms {
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
  /** The prompt without what the row says, such as " It was", for calibrated scores; it may be empty. */
  contentFree?(row: Row): Prompt;
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
  /** How many training and dev examples are drawn unless more or fewer are asked for, where not the authors' 1000 and 500 (CB and COPA: 100). */
  readonly trainSize?: number;
  readonly devSize?: number;
  /** Rows that need no network and no folder. Without them the task's samples are used, marked as such. */
  defaultRows?(): Promise<Rows>;
  /** What the options are called in answers and reports, where all rows have the same and they are not called by their own text. */
  readonly classNames?: readonly string[];
  /** The columns of a row's texts; "text" where they are left out. A text without a row stands in the only one. */
  readonly columns?: readonly string[];
  /** The plain data that `classification` made the task from: a tuned model is saved with it. */
  readonly spec?: object;
  /** The task with what its training file's rows decide, such as its classes. Throws a KitError where they cannot. */
  settle?(rows: readonly Fields[]): TaskDefinition;
}

/** How many rows were left out, and why: they repeat an earlier row, have its text and another right answer, or have no label. */
export interface Dropped {
  readonly reason: "repeated" | "contradicting" | "unlabelled";
  readonly rows: number;
}

/** Where rows came from, and which were left out. */
export interface DataSource {
  /** The files that were read, each by its folder's name and its own, "CB/train.jsonl", or on the hub, "hf:stanfordnlp/sst2/data/train-00000-of-00001.parquet". */
  readonly files: readonly string[];
  /** The hub's commit, where they came from there. */
  readonly revision?: string;
  /** The first 12 hexadecimal digits of the SHA-256 over what the files hold: files of the same hash have the same rows. */
  readonly sha256: string;
  /** How many rows the task found in the files, whether or not they are in a part; absent in runs of format 2. */
  readonly rows?: number;
  /** Rows that were left out of all parts; absent where none was. */
  readonly dropped?: readonly Dropped[];
}

/** A task with its examples drawn: what `loadTask` returns. */
export interface Task {
  readonly name: string;
  readonly metric: Metric;
  readonly loss: Loss;
  readonly classes?: "none";
  /** Where the rows came from. */
  readonly data: DataSource;
  /** What drew the parts and draws the batches of runs, where that is not to be their seed. */
  readonly splitSeed?: number;
  /** A remark on the parts, such as on rows that were left out and classes with too few rows. */
  readonly remark?: string;
  readonly train: readonly Example[];
  readonly dev: readonly Example[];
  readonly test: readonly Example[];
  /** How rows become examples: what answers new ones. Absent where the examples were made by hand. */
  readonly definition?: TaskDefinition;
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
    `two of the options are ${showValue(twice)}, so the model cannot choose between them; give other words.`,
  );
}

const KEYS = [
  "name",
  "metric",
  "loss",
  "autoregressive",
  "masked",
  "gold",
  "unpack",
  "classes",
  "trainSize",
  "devSize",
  "defaultRows",
  "classNames",
  "columns",
  "spec",
  "settle",
];

/**
 * The definition of a task from outside the kit, with its functions guarded: a value of the wrong type and an error of theirs become a
 * sentence that names the task and the function. Throws a KitError that names the field which is missing, unknown or wrong.
 */
export function checkDefinition(definition: TaskDefinition): TaskDefinition {
  const wrong = (what: string): KitError =>
    new KitError(`The definition of the task ${showValue(definition.name)} ${what}.`);
  const unknown = Object.keys(definition).filter((key) => !KEYS.includes(key));
  if (unknown.length > 0) throw wrong(`has ${unknown.join(", ")}, which no task has: it may have ${KEYS.join(", ")}`);
  checkSettings(definition, wrong);
  checkTexts(definition, wrong);
  checkFunctions(definition, wrong);
  return guardFunctions(definition);
}

type Wrong = (what: string) => KitError;

function checkSettings({ name, metric, loss, masked, classes, ...sizes }: TaskDefinition, wrong: Wrong): void {
  if (typeof name !== "string" || name.trim() === "") throw wrong("needs a name");
  if (metric !== "accuracy" && metric !== "F1")
    throw wrong(`needs the metric "accuracy" or "F1", not ${showValue(metric)}`);
  if (loss !== "candidates" && loss !== "answer")
    throw wrong(`needs the loss "candidates" or "answer", not ${showValue(loss)}`);
  if (metric === "F1" && (masked || loss !== "answer"))
    throw wrong('is scored by F1, so its answers are generated: leave out "masked" and take the loss "answer"');
  if (masked && loss === "answer")
    throw wrong('has a masked form, whose answers are single tokens: take the loss "candidates"');
  if (classes !== undefined && classes !== "none")
    throw wrong(`has the classes ${showValue(classes)}: give "none" or leave classes out`);
  for (const key of ["trainSize", "devSize"] as const) {
    const size = sizes[key];
    if (size !== undefined && !(Number.isInteger(size) && size >= 1))
      throw wrong(`needs a whole number of at least 1 as ${key}, not ${showValue(size)}`);
  }
}

function checkFunctions(
  { autoregressive, masked, gold, unpack, defaultRows, settle }: TaskDefinition,
  wrong: Wrong,
): void {
  if (!autoregressive && !masked)
    throw wrong("needs a form: autoregressive, masked or both, each with prompt and options");
  for (const [name, form] of Object.entries({ autoregressive, masked }))
    if (form && !(isFunction(form.prompt) && isFunction(form.options)))
      throw wrong(`needs the functions prompt and options in ${name}`);
  const { contentFree } = autoregressive ?? {};
  if (contentFree !== undefined && !isFunction(contentFree))
    throw wrong("needs a function as autoregressive.contentFree, or none");
  if (!isFunction(gold)) throw wrong("needs a function gold from a row to the indices of the right options");
  for (const [name, value] of Object.entries({ unpack, defaultRows, settle }))
    if (value !== undefined && !isFunction(value)) throw wrong(`needs a function as ${name}, or none`);
}

function checkTexts({ classNames, columns }: TaskDefinition, wrong: Wrong): void {
  for (const [name, value] of Object.entries({ classNames, columns }))
    if (value !== undefined && !(Array.isArray(value) && value.length > 0 && value.every(isText)))
      throw wrong(`needs a list of texts as ${name}, or none`);
}

const isFunction = (value: unknown): boolean => typeof value === "function";

/** What a function of a definition returns: in words, and whether a value is that. */
interface Returns {
  readonly what: string;
  readonly is: (value: unknown) => boolean;
}

const isText = (value: unknown): boolean => typeof value === "string";
const TEXT: Returns = { what: "a text", is: isText };
const TEXTS: Returns = { what: "a list of texts", is: (value) => Array.isArray(value) && value.every(isText) };
const INDICES: Returns = { what: "a list of indices", is: Array.isArray };
const ROWS: Returns = { what: "a list of rows", is: Array.isArray };
const MASKED: Returns = {
  what: "{ parts, maxLength } with one MASK among its parts",
  is: (value) => {
    const { parts, maxLength } = (value ?? {}) as { parts?: unknown; maxLength?: unknown };
    return Array.isArray(parts) && parts.filter((part) => part === MASK).length === 1 && Number.isInteger(maxLength);
  },
};

function guardFunctions(definition: TaskDefinition): TaskDefinition {
  const { name, autoregressive, masked, unpack } = definition;
  const guard =
    <Row, Value>(field: string, ask: (row: Row) => Value, { what, is }: Returns) =>
    (row: Row): Value => {
      const value = orSentence(() => ask(row), `the task ${showValue(name)} fails in ${field}`);
      if (is(value)) return value;
      throw new KitError(
        `the task ${showValue(name)} gives ${showValue(value)} as ${field}, which must be ${what}; correct it.`,
      );
    };
  return {
    ...definition,
    ...(autoregressive && {
      autoregressive: {
        prompt: guard("autoregressive.prompt", (row) => autoregressive.prompt(row), TEXT),
        options: guard("autoregressive.options", (row) => autoregressive.options(row), TEXTS),
        ...(autoregressive.contentFree && {
          contentFree: guard("autoregressive.contentFree", (row) => autoregressive.contentFree!(row), TEXT),
        }),
      },
    }),
    ...(masked && {
      masked: {
        prompt: guard("masked.prompt", (row) => masked.prompt(row), MASKED),
        options: guard("masked.options", (row) => masked.options(row), TEXTS),
      },
    }),
    gold: guard("gold", (row) => definition.gold(row), INDICES),
    ...(unpack && { unpack: guard("unpack", (record: Fields) => definition.unpack!(record), ROWS) }),
  };
}

/** Calls a function of a definition; what it throws beside KitErrors becomes one. A RangeError is left to the reader of deep rows. */
function orSentence<Value>(ask: () => Value, what: string): Value {
  try {
    return ask();
  } catch (error) {
    if (error instanceof KitError || error instanceof RangeError) throw error;
    throw new KitError(
      `${what} (${error instanceof Error ? error.message : showValue(error)}); correct it, or the row.`,
    );
  }
}
