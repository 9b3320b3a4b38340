import { KitError, listNames, showValue } from "../../error.ts";
import { MASK, type MaskedPart, type MaskedPrompt } from "../../text/maskedPrompt.ts";
import type { Fields } from "../read/table.ts";

/** Written in place of a label: in GLUE's test files, and in SNLI and MNLI where annotators did not agree. */
const NO_LABEL: readonly string[] = ["-1", "-1.0", "-"];

/** The row has no label: it is left out and counted, while other errors stop the loading. */
export class UnlabelledRow extends KitError {}

/** The unchanged text of the first of `names` that the row has. Throws a KitError where it is missing, blank or not text. */
export function textField(fields: Fields, what: string, names: readonly string[]): string {
  const value = findField(fields, what, names);
  if (typeof value !== "string") throw new KitError(`the ${what} is ${showValue(value)} and not text; correct it.`);
  return value;
}

/** The text in a field, which may be empty. Throws a KitError where the field is missing or not text. */
export function anyTextField(fields: Fields, name: string): string {
  const value = fields[name];
  return value === "" ? value : textField(fields, name, [name]);
}

/**
 * The class (0, 1, …) in the first of `names` that the row has: its name in any case (also "true" for true), or its position, also as
 * pandas writes whole numbers in a column with gaps ("1.0"). Names take precedence over positions, and where a name is a number, positions
 * do not count. Throws a KitError for another value, and an UnlabelledRow where the row states that it has no label (−1).
 */
export function labelField(fields: Fields, names: readonly string[], classes: readonly string[]): number {
  const value = findField(fields, "label", names);
  const text = ["string", "number", "boolean", "bigint"].includes(typeof value) ? String(value).trim() : "";
  const label = findClass(classes, text);
  if (label >= 0) return label;
  if (NO_LABEL.includes(text)) throw new UnlabelledRow(`the label is ${text}, which means that the row has none.`);
  const known = classes.map((name, index) => (isNumber(name) ? name : `${index} (${name})`)).join(", ");
  throw new KitError(`the label ${showValue(value)} is none of ${known}; correct the row or drop it.`);
}

function findClass(classes: readonly string[], text: string): number {
  const exact = classes.indexOf(text);
  if (exact >= 0) return exact;
  const inAnyCase = classes.findIndex((name) => name.toLowerCase() === text.toLowerCase());
  if (inAnyCase >= 0 || !isNumber(text)) return inAnyCase;
  if (classes.some(isNumber)) return classes.findIndex((name) => isNumber(name) && Number(name) === Number(text));
  return Number(text) < classes.length && Number(text) >= 0 ? Number(text) : -1;
}

/** Whether a text is a whole number, possibly with an empty fraction. */
function isNumber(text: string): boolean {
  return /^-?(?:0|[1-9]\d*)(?:\.0*)?$/.test(text);
}

/** The texts in a list, or a single text as a list. Throws a KitError where there are none, or one is not text. */
export function textsField(fields: Fields, what: string, names: readonly string[]): readonly string[] {
  const value = findField(fields, what, names);
  const texts: unknown[] = Array.isArray(value) ? value : [value];
  if (texts.length > 0 && texts.every((text) => typeof text === "string")) return texts;
  throw new KitError(`the ${what} is ${showValue(value)} and not a list of texts with at least one; correct it.`);
}

/** The objects in the list of that name; none where the row has no such list. */
export function objectsIn(fields: Fields, name: string): readonly Fields[] {
  const value = fields[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === "object" && item !== null) : [];
}

/** The object of that name; an empty one where the row has none. */
export function objectIn(fields: Fields, name: string): Fields {
  const value = fields[name];
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function findField(fields: Fields, what: string, names: readonly string[]): unknown {
  const value = names.map((name) => fields[name]).find((field) => !isBlank(field));
  if (value !== undefined) return value;
  const found = Object.keys(fields).filter((name) => !isBlank(fields[name]));
  const has = found.length > 0 ? listNames(found.map(showValue), 8) : "no field at all";
  throw new KitError(`the row has no ${what} (a field ${names.join(" or ")}; it has ${has}); add it or drop the row.`);
}

function isBlank(field: unknown): boolean {
  return field === undefined || field === null || (typeof field === "string" && field.trim() === "");
}

/** `{sentence} It was<mask>.` in at most 128 tokens (Table 13: SST-2, SST-5). */
export function itWas(sentence: Exclude<MaskedPart, symbol>): MaskedPrompt {
  return { parts: [sentence, { text: " It was" }, MASK, { text: "." }], maxLength: 128 };
}

/**
 * `{first minus its last character}?<mask>, {second, its first letter small}` in at most 256 tokens, the first sentence cut after
 * `maxTokens` (Table 13: MNLI, SNLI, RTE).
 */
export function entails(first: string, second: string, maxTokens?: number): MaskedPrompt {
  const [head = "", ...tail] = second;
  const text = [...first].slice(0, -1).join("");
  const premise = maxTokens === undefined ? { text } : { text, maxTokens };
  const hypothesis = { text: ` ${head.toLowerCase()}${tail.join("")}` };
  return { parts: [premise, { text: "?" }, MASK, { text: "," }, hypothesis], maxLength: 256 };
}
