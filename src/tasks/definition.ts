import { KitError, shown } from "../error.ts";
import { MASK } from "../text/maskedPrompt.ts";
import type { Fields } from "./read/table.ts";
import type { TaskDefinition } from "./task.ts";

const KEYS = [
  "name",
  "metric",
  "loss",
  "autoregressive",
  "masked",
  "gold",
  "unpack",
  "classes",
  "devSize",
  "defaultRows",
];

/**
 * The definition of a task from outside the kit, with its functions guarded: a value of the wrong type and an error of theirs become a
 * sentence that names the task and the function. Throws a KitError that names the field which is missing, unknown or wrong.
 */
export function checkDefinition(definition: TaskDefinition): TaskDefinition {
  const wrong = (what: string): KitError =>
    new KitError(`The definition of the task ${shown(definition.name)} ${what}.`);
  const unknown = Object.keys(definition).filter((key) => !KEYS.includes(key));
  if (unknown.length > 0) throw wrong(`has ${unknown.join(", ")}, which no task has: it may have ${KEYS.join(", ")}`);
  checkSettings(definition, wrong);
  checkFunctions(definition, wrong);
  return guardFunctions(definition);
}

type Wrong = (what: string) => KitError;

function checkSettings({ name, metric, loss, masked, classes, devSize }: TaskDefinition, wrong: Wrong): void {
  if (typeof name !== "string" || name.trim() === "") throw wrong("needs a name");
  if (metric !== "accuracy" && metric !== "F1")
    throw wrong(`needs the metric "accuracy" or "F1", not ${shown(metric)}`);
  if (loss !== "candidates" && loss !== "answer")
    throw wrong(`needs the loss "candidates" or "answer", not ${shown(loss)}`);
  if (metric === "F1" && (masked || loss !== "answer"))
    throw wrong('is scored by F1, so its answers are generated: leave out "masked" and take the loss "answer"');
  if (masked && loss === "answer")
    throw wrong('has a masked form, whose answers are single tokens: take the loss "candidates"');
  if (classes !== undefined && classes !== "none")
    throw wrong(`has the classes ${shown(classes)}: give "none" or leave classes out`);
  if (devSize !== undefined && !(Number.isInteger(devSize) && devSize >= 1))
    throw wrong(`needs a whole number of at least 1 as devSize, not ${shown(devSize)}`);
}

function checkFunctions({ autoregressive, masked, gold, unpack, defaultRows }: TaskDefinition, wrong: Wrong): void {
  if (!autoregressive && !masked)
    throw wrong("needs a form: autoregressive, masked or both, each with prompt and options");
  for (const [name, form] of Object.entries({ autoregressive, masked }))
    if (form && !(isFunction(form.prompt) && isFunction(form.options)))
      throw wrong(`needs the functions prompt and options in ${name}`);
  if (!isFunction(gold)) throw wrong("needs a function gold from a row to the indices of the right options");
  for (const [name, value] of Object.entries({ unpack, defaultRows }))
    if (value !== undefined && !isFunction(value)) throw wrong(`needs a function as ${name}, or none`);
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
      const value = orSentence(() => ask(row), `the task ${shown(name)} fails in ${field}`);
      if (is(value)) return value;
      throw new KitError(
        `the task ${shown(name)} gives ${shown(value)} as ${field}, which must be ${what}; correct it.`,
      );
    };
  return {
    ...definition,
    ...(autoregressive && {
      autoregressive: {
        prompt: guard("autoregressive.prompt", (row) => autoregressive.prompt(row), TEXT),
        options: guard("autoregressive.options", (row) => autoregressive.options(row), TEXTS),
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
    throw new KitError(`${what} (${error instanceof Error ? error.message : shown(error)}); correct it, or the row.`);
  }
}
