import { checkOptions, KitError, listNames, showValue } from "../error.ts";
import { MASK, type MaskedPart } from "../text/maskedPrompt.ts";
import { strip } from "../text/prompt.ts";
import { UnlabelledRow } from "./definitions/fields.ts";
import type { Fields } from "./read/table.ts";
import type { TaskDefinition } from "./task.ts";

/** A classification as plain data, which a file holds as JSON. */
export interface ClassificationOptions {
  /** As tables and run files call the task; "mood classification", say, for the label column `mood` where it is left out. */
  readonly name?: string;
  /** The column of the text, or those of several texts. */
  readonly text: string | readonly string[];
  /** The column of the label. */
  readonly label: string;
  /**
   * Each label with the answer that stands for it, such as { angry: " angry", glad: " happy" }, or the labels alone, which are their own
   * answers then. Left out, the labels in the training file are the classes, the most frequent first, those of the same frequency by name.
   */
  readonly classes?: Readonly<Record<string, string>> | readonly string[];
  /** What the model reads before the answer, columns in braces: "{text} The customer is". */
  readonly prompt?: string;
}

const KEYS = ["name", "text", "label", "classes", "prompt"] as const;

/**
 * A task that sorts the rows of a file into classes, for models of both kinds: `loadTask(classification({ text: "text", label: "mood" }), {
 * data: "tickets.csv" })`. The model reads the prompt, and the likeliest class's answer is its own; a masked model fills a mask after
 * the prompt. The default prompt is the texts and then the label column's name with a colon, "{text} mood:": it says what is asked, and
 * words of any kind may follow it, where "It was" wants adjectives. Of a file of few rows three fifths are trained on, and a fifth each
 * chooses the step and is scored (at most 3,000 and 1,000 each). Rows with a blank label are left out and counted. Throws a KitError for
 * columns, classes or a prompt that do not fit together.
 */
export function classification(options: ClassificationOptions): TaskDefinition {
  const { text, label, classes, ...rest } = options;
  const columns = readColumns(text, label);
  const { name = `${label} classification`, prompt = defaultPrompt(columns, label), ...unknown } = rest;
  checkOptions("A classification", unknown, KEYS);
  const pieces = readTemplate(prompt, columns);
  const words = classes === undefined ? undefined : readClasses(classes, prompt);
  const classNames = words && [...words.keys()];
  return {
    ...{ name, metric: "accuracy", loss: "candidates", columns, spec: { ...options, name, prompt } },
    ...{ trainSize: 3000, devSize: 1000 },
    ...makeForms(pieces, columns, words && [...words.values()]),
    gold: (row) => [findLabel(row, label, classNames ?? undecided())],
    ...(classNames
      ? { classNames }
      : { settle: (rows) => classification({ ...options, classes: countLabels(rows, label) }) }),
  };
}

function defaultPrompt(columns: readonly string[], label: string): string {
  return `${columns.map((column) => `{${column}}`).join(" ")} ${label}:`;
}

function makeForms(
  pieces: readonly Piece[],
  columns: readonly string[],
  answers: readonly string[] | undefined,
): Pick<TaskDefinition, "autoregressive" | "masked"> {
  const options = (): readonly string[] => answers ?? undecided();
  const textOf = (row: Fields, { column, text }: Piece): string => (column ? readText(row, text, columns) : text);
  const contentFree = (): string => pieces.map(({ column, text }) => (column ? "" : text)).join("");
  return {
    autoregressive: { prompt: (row) => pieces.map((piece) => textOf(row, piece)).join(""), options, contentFree },
    masked: {
      prompt: (row) => {
        const parts = maskedParts(pieces.map((piece) => textOf(row, piece)));
        return { parts: [...parts, MASK], maxLength: LONGEST };
      },
      options,
    },
  };
}

function undecided(): never {
  throw new KitError(
    "the labels in the data decide the classes, and it has seen none: give the task as loadTask returns it, or name its classes.",
  );
}

/** Masked models read no more tokens than this. */
const LONGEST = 512;

function readColumns(text: ClassificationOptions["text"], label: string): readonly string[] {
  if (typeof label !== "string" || label === "")
    throw new KitError(
      `A classification needs the name of its label column, not ${showValue(label)}: give it as label.`,
    );
  const columns = typeof text === "string" ? [text] : text;
  if (Array.isArray(columns) && columns.length > 0 && columns.every((one) => typeof one === "string" && one !== ""))
    return columns as readonly string[];
  throw new KitError(
    `A classification needs the name of its text column, or of several, not ${showValue(text)}: give it as text.`,
  );
}

/** A piece of a template: a column's name, or text that stays. */
interface Piece {
  readonly column: boolean;
  readonly text: string;
}

function readTemplate(template: string, columns: readonly string[]): readonly Piece[] {
  const pieces = String(template)
    .split(/\{([^{}]*)\}/)
    .map((text, i): Piece => ({ column: i % 2 === 1, text }));
  const used = pieces.filter(({ column }) => column).map(({ text }) => text);
  const [strange] = used.filter((name) => !columns.includes(name));
  const [unused] = columns.filter((name) => !used.includes(name));
  if (strange === undefined && unused === undefined) return pieces.filter(({ text }) => text !== "");
  const what =
    strange === undefined
      ? `does not have the text column {${unused}}`
      : `has {${strange}}, which is no text column (${columns.join(", ")})`;
  throw new KitError(`The prompt ${showValue(template)} ${what}: name each text column in braces once.`);
}

/** The answer of each label. */
function readClasses(
  classes: NonNullable<ClassificationOptions["classes"]>,
  template: string,
): ReadonlyMap<string, string> {
  const pairs = Array.isArray(classes)
    ? classes.map((label): [string, string] => [String(label), ` ${label}`])
    : Object.entries(classes as Readonly<Record<string, string>>);
  const words = new Map(pairs);
  if (words.size < 2 || words.size < pairs.length || new Set(words.values()).size < words.size)
    throw new KitError(
      `A classification needs at least two classes, different ones with different answers, not ${showValue(classes)}.`,
    );
  for (const [label, word] of pairs) checkWord(label, word, template);
  return words;
}

function checkWord(label: string, word: string, template: string): void {
  if (typeof word !== "string" || word.trim() === "")
    throw new KitError(
      `The class ${showValue(label)} has the answer ${showValue(word)}: give a text, such as ${showValue(` ${label}`)}.`,
    );
  if (/^[\p{Script=Latin}\p{N}]/u.test(word) && !/\s$/.test(template))
    throw new KitError(
      `The answer ${showValue(word)} of the class ${showValue(label)} would stand right behind the prompt's last letter: begin it with a space, ${showValue(` ${word}`)}.`,
    );
}

/** The labels of rows, the most frequent first. */
function countLabels(rows: readonly Fields[], column: string): string[] {
  const [first] = rows;
  if (first && rows.every((row) => !(column in row))) throw missing(first, column);
  const counts = new Map<string, number>();
  for (const row of rows) {
    const label = labelText(row[column]);
    if (label !== "") counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const labels = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([label]) => label);
  if (labels.length >= 2 && labels.length < rows.length) return labels;
  const found = labels.length < 2 ? `${showValue(labels[0])} alone` : "another label in every row";
  throw new KitError(
    `The labels in the column ${showValue(column)} were to decide the classes, but of ${rows.length} rows it has ${found}; it needs at least two that repeat: check the column's name, or give the classes.`,
  );
}

/** A label as text, also where a file has it as a number; empty for what is none. */
function labelText(value: unknown): string {
  return ["string", "number", "boolean", "bigint"].includes(typeof value) ? strip(String(value)) : "";
}

/** The class of a row: its label as it is, or in any case where that is one class's. */
function findLabel(row: Fields, column: string, labels: readonly string[]): number {
  if (!(column in row)) throw missing(row, column);
  const label = labelText(row[column]);
  if (label === "") throw new UnlabelledRow(`the label is blank, so the row has none.`);
  const exact = labels.indexOf(label);
  if (exact >= 0) return exact;
  const inAnyCase = labels.flatMap((one, i) => (one.toLowerCase() === label.toLowerCase() ? [i] : []));
  if (inAnyCase.length === 1) return inAnyCase[0]!;
  throw new KitError(`the label ${showValue(label)} is none of ${listNames(labels, 12)}; correct the row or drop it.`);
}

/** The text in a column, without white space at its ends; it may be blank where another of the columns is not. */
function readText(row: Fields, column: string, columns: readonly string[]): string {
  if (!(column in row)) throw missing(row, column);
  const texts = columns.map((name) => labelText(row[name]));
  if (texts.some((text) => text !== "")) return texts[columns.indexOf(column)]!;
  throw new KitError(`the row has no text (in ${columns.join(", ")}); add it or drop the row.`);
}

const missing = (row: Fields, column: string): KitError =>
  new KitError(
    `the row has no column ${showValue(column)}, but ${listNames(Object.keys(row).map(showValue), 8) || "none"}; name one of those.`,
  );

/** The pieces before the mask; a space at a piece's end belongs to the next, as tokenizers have it before words. */
function maskedParts(texts: readonly string[]): MaskedPart[] {
  let space = "";
  return texts.flatMap((piece) => {
    const text = space + piece;
    const kept = text.replace(/ +$/, "");
    space = kept === text ? "" : " ";
    return kept === "" ? [] : [{ text: kept }];
  });
}
