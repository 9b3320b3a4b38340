import { KitError } from "../error.ts";
import type { Fields } from "./rows.ts";

/** The text of the first of `names` that the row has, as it stands; throws where there is none or it is blank. */
export function textField(fields: Fields, what: string, names: readonly string[]): string {
  const value = present(fields, what, names);
  if (typeof value !== "string")
    throw new KitError(`the ${what} is ${JSON.stringify(value)} and not text; correct it.`);
  return value;
}

/** The label (0, 1, …) in the first of `names` that the row has, a number or its digits; throws where it is none of the task's. */
export function labelField(fields: Fields, names: readonly string[], words: readonly string[]): number {
  const value = present(fields, "label", names);
  const label = words.findIndex((_, index) => value === index || String(value).trim() === String(index));
  if (label >= 0) return label;
  const known = words.map((word, index) => `${index} (${word.trim()})`).join(", ");
  throw new KitError(`the label ${JSON.stringify(value)} is none of ${known}; correct the row or drop it.`);
}

function present(fields: Fields, what: string, names: readonly string[]): unknown {
  const value = names.map((name) => fields[name]).find((field) => !isBlank(field));
  if (value !== undefined) return value;
  const found = Object.keys(fields).filter((name) => !isBlank(fields[name]));
  const has = found.length > 0 ? found.map((name) => JSON.stringify(name)).join(", ") : "no field at all";
  throw new KitError(`the row has no ${what} (a field ${names.join(" or ")}; it has ${has}); add it or drop the row.`);
}

function isBlank(field: unknown): boolean {
  return field === undefined || field === null || (typeof field === "string" && field.trim() === "");
}
