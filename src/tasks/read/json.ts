import { KitError } from "../../error.ts";
import type { Fields, ParsedRow } from "./rows.ts";

/** The rows of a JSON Lines text: one object a line, blank lines skipped. */
export function parseJsonLines(text: string, file: string): ParsedRow[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    if (line.trim() === "") return [];
    const place = `line ${index + 1}`;
    return [{ fields: asFields(parsed(line, `${file} ${place}`), `${file} ${place}`), place }];
  });
}

/**
 * The rows of a JSON text that is one list of objects, an object whose `data` is such a list (the original SQuAD and
 * ReCoRD files), or an object of objects (DROP's).
 */
export function parseJson(text: string, file: string): ParsedRow[] {
  const list = text.trim() === "" ? [] : listIn(parsed(text, file));
  if (!list) throw new KitError(`${file}: the file holds no list of rows; give a JSON list of objects.`);
  return list.map((row, index) => {
    const place = `row ${index + 1}`;
    return { fields: asFields(row, `${file} ${place}`), place };
  });
}

function listIn(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (!isObject(value)) return undefined;
  if (Array.isArray(value.data)) return value.data;
  const entries = Object.values(value);
  return entries.length > 0 && entries.every(isObject) ? entries : undefined;
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new KitError(`${where}: this is not valid JSON (${(error as SyntaxError).message}); correct it.`);
  }
}

function asFields(value: unknown, where: string): Fields {
  if (isObject(value)) return value;
  throw new KitError(`${where}: a row must be an object of named fields and not ${JSON.stringify(value)}; correct it.`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
