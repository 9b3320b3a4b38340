import { KitError } from "../../error.ts";
import type { Fields } from "../read/rows.ts";

/** The text of the first of `names` that the row has, as it stands; throws where there is none or it is blank. */
export function textField(fields: Fields, what: string, names: readonly string[]): string {
  const value = present(fields, what, names);
  if (typeof value !== "string")
    throw new KitError(`the ${what} is ${JSON.stringify(value)} and not text; correct it.`);
  return value;
}

/** The text in a field, which may be empty; throws where the field is absent or no text. */
export function anyTextField(fields: Fields, name: string): string {
  const value = fields[name];
  return value === "" ? value : textField(fields, name, [name]);
}

/**
 * The class (0, 1, …) in the first of `names` that the row has: a number, its digits, or the class's name in any case (also
 * "true" for true); throws where it is none of the task's.
 */
export function labelField(fields: Fields, names: readonly string[], classes: readonly string[]): number {
  const value = present(fields, "label", names);
  const text = String(value).trim().toLowerCase();
  const label = classes.findIndex((name, index) => text === String(index) || text === name.toLowerCase());
  if (label >= 0) return label;
  const known = classes.map((name, index) => `${index} (${name})`).join(", ");
  throw new KitError(`the label ${JSON.stringify(value)} is none of ${known}; correct the row or drop it.`);
}

/** The texts in a list, or in a text alone; throws where there are none, or one is no text. */
export function textsField(fields: Fields, what: string, names: readonly string[]): readonly string[] {
  const value = present(fields, what, names);
  const texts: unknown[] = Array.isArray(value) ? value : [value];
  if (texts.length > 0 && texts.every((text) => typeof text === "string")) return texts;
  throw new KitError(`the ${what} is ${JSON.stringify(value)} and not a list of texts with at least one; correct it.`);
}

/** The objects in the list of that name; none where there is no such list. */
export function objectsIn(fields: Fields, name: string): readonly Fields[] {
  const value = fields[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === "object" && item !== null) : [];
}

/** The object of that name; an empty one where there is none. */
export function objectIn(fields: Fields, name: string): Fields {
  const value = fields[name];
  return typeof value === "object" && value !== null ? (value as Fields) : {};
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
