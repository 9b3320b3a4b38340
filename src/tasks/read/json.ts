import { duplicateKey, isObject } from "../../checkpoints/json.ts";
import { KitError, shorten, showValue } from "../../error.ts";
import type { Fields, ParsedRow } from "./table.ts";
import { splitLines } from "./text.ts";

/** The rows of a JSON Lines text: one object per line, blank lines skipped. */
export function parseJsonLines(text: string, file: string): ParsedRow[] {
  return splitLines(text).flatMap((line, index) => {
    if (line.trim() === "") return [];
    const place = `line ${index + 1}`;
    return [{ fields: checkFields(parseValue(line, `${file} ${place}`), `${file} ${place}`), place }];
  });
}

/**
 * The rows of a JSON text that is one list of objects, an object whose `data` is such a list (the original SQuAD and
 * ReCoRD files), or an object of objects (DROP's).
 */
export function parseJson(text: string, file: string): ParsedRow[] {
  const list = text.trim() === "" ? [] : findList(parseValue(text, file));
  if (!list) throw new KitError(`${file}: the file has no list of rows; give a JSON list of objects.`);
  return list.map((row, index) => {
    const place = `row ${index + 1}`;
    return { fields: checkFields(row, `${file} ${place}`), place };
  });
}

function findList(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (!isObject(value)) return undefined;
  if (Array.isArray(value.data)) return value.data;
  const entries = Object.values(value);
  return entries.length > 0 && entries.every(isObject) ? entries : undefined;
}

function parseValue(text: string, where: string): unknown {
  const value = parse(text, where);
  const name = duplicateKey(text);
  if (name === undefined) return value;
  throw new KitError(`${where}: an object has the name ${showValue(name)} twice; remove one.`);
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new KitError(`${where}: this is not valid JSON (${shorten((error as SyntaxError).message)}); correct it.`);
  }
}

function checkFields(value: unknown, where: string): Fields {
  if (isObject(value)) return value;
  throw new KitError(`${where}: a row must be an object of named fields, not ${showValue(value)}; correct it.`);
}
