import { KitError } from "../error.ts";
import { MASK } from "../text/maskedPrompt.ts";
import { UnlabelledRow } from "./definitions/fields.ts";
import type { Fields, LocatedRow, Rows } from "./read/table.ts";
import { checkExample, type DataSource, type Dropped, type Example, type Forms, type TaskDefinition } from "./task.ts";

/** The examples that were kept, and how many were not. */
export interface Deduplicated {
  readonly examples: readonly Example[];
  /** Examples that repeat an earlier one with its right answers. */
  readonly repeated: number;
  /** Examples with the texts of an earlier one and other right answers. */
  readonly contradicting: number;
}

/** The first example of each text (prompt and options), as pandas' drop_duplicates keeps it; white space and Unicode forms are not compared. */
export function deduplicate(examples: readonly Example[]): Deduplicated {
  const firsts = new Map<string, Example>();
  let [repeated, contradicting] = [0, 0];
  for (const example of examples) {
    const text = listTexts(example).map(normalizeSpace).join("\0");
    const first = firsts.get(text);
    if (!first) firsts.set(text, example);
    else if (first.gold.join() === example.gold.join()) repeated++;
    else contradicting++;
  }
  return { examples: [...firsts.values()], repeated, contradicting };
}

/** The text in Unicode's composed form (NFC), with single spaces for all white space; every letter, sign and case is kept. */
function normalizeSpace(text: string): string {
  return text
    .normalize("NFC")
    .replace(/\p{White_Space}+/gu, " ")
    .trim();
}

function listTexts({ autoregressive, masked }: Example): string[] {
  if (autoregressive) return [autoregressive.prompt, ...autoregressive.options];
  return masked?.prompt.parts.map((part) => (part === MASK ? "" : part.text)) ?? [];
}

/** Each reason as a sentence about one row and about several. */
const REASONS: Readonly<Record<Dropped["reason"], readonly [one: string, several: string]>> = {
  repeated: ["repeats an earlier one", "repeat an earlier one"],
  contradicting: [
    "has the text of an earlier one and another label",
    "have the text of an earlier one and another label",
  ],
  unlabelled: ["has no label", "have no label"],
};

/** The rows left out by reason, as a task's data has them; nothing where none was. */
export function listDropped(rows: Readonly<Record<Dropped["reason"], number>>): Pick<DataSource, "dropped"> {
  const reasons = Object.keys(REASONS) as Dropped["reason"][];
  const dropped = reasons.map((reason) => ({ reason, rows: rows[reason] })).filter((some) => some.rows > 0);
  return dropped.length > 0 ? { dropped } : {};
}

/** "left out: 3 rows that repeat an earlier one, 1 row that has no label". */
export function describeDropped(dropped: readonly Dropped[]): string {
  const parts = dropped.map(({ reason, rows }) =>
    rows === 1 ? `1 row that ${REASONS[reason][0]}` : `${rows} rows that ${REASONS[reason][1]}`,
  );
  return `left out: ${parts.join(", ")}`;
}

/** The examples of some rows, and how many rows state that they have no label. */
export interface Labelled {
  readonly examples: readonly Example[];
  readonly unlabelled: number;
}

/**
 * Makes the examples of all rows that have a label. Throws a KitError with file and line for the first row that is unusable, with the number
 * of the others, and where no row has a label.
 */
export function makeExamples(definition: TaskDefinition, { name, rows }: Rows): Labelled {
  const examples: Example[] = [];
  let unlabelled = 0;
  let wrong: { readonly first: KitError; readonly others: number } | undefined;
  for (const row of rows) {
    const found = makeRowExamples(definition, row);
    if (found instanceof KitError) wrong = wrong ? { ...wrong, others: wrong.others + 1 } : { first: found, others: 0 };
    else for (const example of found) example ? examples.push(example) : unlabelled++;
  }
  if (wrong) throw addOthers(wrong.first, wrong.others);
  if (unlabelled > 0 && examples.length === 0)
    throw new KitError(
      `${name} has no labels: all of its ${unlabelled} rows say −1, as in public test sets; give the train or validation file.`,
    );
  return { examples, unlabelled };
}

/** Whether any row has a label; public test sets leave it out or write −1. */
export function hasLabels(definition: TaskDefinition, { rows }: Rows): boolean {
  return rows.some((row) => {
    const found = makeRowExamples(definition, row);
    return !(found instanceof KitError) && found.some((example) => example !== undefined);
  });
}

function addOthers(first: KitError, others: number): KitError {
  if (others === 0) return first;
  const rows = others === 1 ? "another row" : `${others} other rows`;
  return new KitError(`${first.message.replace(/\.$/, "")}; ${rows} cannot be used either.`);
}

/** A row's examples (undefined for one without a label), or the error of an unusable row. */
function makeRowExamples(
  definition: TaskDefinition,
  { where, fields }: LocatedRow,
): (Example | undefined)[] | KitError {
  try {
    const rows = definition.unpack?.(fields) ?? [fields];
    return rows.map((row) => makeLabelledExample(definition, row));
  } catch (error) {
    if (error instanceof KitError) return new KitError(`${where}: ${error.message}`);
    // A value that is nested thousands of levels deep exhausts the stack.
    if (error instanceof RangeError) return new KitError(`${where}: the row cannot be read (${error.message}).`);
    throw error;
  }
}

/** The example of a row, or undefined where the row states that it has no label. */
function makeLabelledExample(definition: TaskDefinition, row: Fields): Example | undefined {
  try {
    return checkExample(makeExample(definition, row), definition);
  } catch (error) {
    if (saysUnlabelled(definition, row)) return undefined;
    throw error;
  }
}

function saysUnlabelled({ gold }: TaskDefinition, row: Fields): boolean {
  try {
    gold(row);
    return false;
  } catch (error) {
    return error instanceof UnlabelledRow;
  }
}

function makeExample(definition: TaskDefinition, row: Fields): Example {
  return { ...makeForms(definition, row), gold: definition.gold(row) };
}

/** A row in the forms that its task has, whether or not it has a label. */
function makeForms({ autoregressive, masked }: TaskDefinition, row: Fields): Forms {
  return {
    ...(autoregressive && {
      autoregressive: {
        ...{ prompt: autoregressive.prompt(row), options: autoregressive.options(row) },
        ...(autoregressive.contentFree && { contentFree: autoregressive.contentFree(row) }),
      },
    }),
    ...(masked && { masked: { prompt: masked.prompt(row), options: masked.options(row) } }),
  };
}

/**
 * The question that a new row or text puts, without a right answer; a text stands for a row with that text alone. Throws a KitError for
 * a row that the task cannot use, and for one that holds several questions.
 */
export function makeQuestion(definition: TaskDefinition, row: string | Fields): Forms {
  const { unpack } = definition;
  const fields = typeof row === "string" ? { [textColumn(definition)]: row } : row;
  const rows = unpack?.(fields) ?? [fields];
  if (rows.length !== 1) throw new KitError(`the row holds ${rows.length} questions; give each in a row of its own.`);
  return checkExample({ ...makeForms(definition, rows[0]!), gold: [0] }, definition);
}

/** The column that a text alone stands in. */
function textColumn({ name, columns = ["text"] }: TaskDefinition): string {
  if (columns.length === 1) return columns[0]!;
  throw new KitError(`${name} reads ${columns.join(" and ")}; give a row with these instead of a text.`);
}
