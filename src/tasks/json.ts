import { KitError } from "../error.ts";
import type { Fields, ParsedRow } from "./rows.ts";

/** The rows of a JSON Lines text: one object a line, blank lines skipped. */
export function parseJsonLines(text: string, file: string): ParsedRow[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    if (line.trim() === "") return [];
    const place = `line ${index + 1}`;
    return [{ fields: asFields(parsed(line, `${file} ${place}`), `${file} ${place}`), place }];
  });
}

/** The rows of a JSON text that is one list of objects. */
export function parseJson(text: string, file: string): ParsedRow[] {
  const list = text.trim() === "" ? [] : parsed(text, file);
  if (!Array.isArray(list)) throw new KitError(`${file}: the file holds no list of rows; give a JSON list of objects.`);
  return list.map((row: unknown, index) => {
    const place = `row ${index + 1}`;
    return { fields: asFields(row, `${file} ${place}`), place };
  });
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new KitError(`${where}: this is not valid JSON (${(error as SyntaxError).message}); correct it.`);
  }
}

function asFields(value: unknown, where: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new KitError(`${where}: a row must be an object of named fields and not ${JSON.stringify(value)}; correct it.`);
}
