import { KitError, shortened, shown } from "../../error.ts";
import type { Fields, ParsedRow } from "./table.ts";
import { linesOf } from "./text.ts";

/** The rows of a JSON Lines text: one object a line, blank lines skipped. */
export function parseJsonLines(text: string, file: string): ParsedRow[] {
  return linesOf(text).flatMap((line, index) => {
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
  const value = jsonOf(text, where);
  const name = nameGivenTwice(text);
  if (name === undefined) return value;
  throw new KitError(`${where}: an object has the name ${shown(name)} twice; remove one.`);
}

function jsonOf(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new KitError(`${where}: this is not valid JSON (${shortened((error as SyntaxError).message)}); correct it.`);
  }
}

/** A name that some object in a valid JSON text has twice, of which `JSON.parse` would take the last. */
function nameGivenTwice(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === "{") open.push(new Set());
    else if (character === "}") open.pop();
    else if (character === '"') {
      const end = endOfString(text, at);
      if (isName(text, end)) {
        const name: string = JSON.parse(text.slice(at, end));
        if (open.at(-1)!.has(name)) return name;
        open.at(-1)!.add(name);
      }
      at = end - 1;
    }
  }
  return undefined;
}

/** Where the string that begins at a quote has ended. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** Whether a colon follows, white space aside. */
function isName(text: string, end: number): boolean {
  let at = end;
  while (/\s/.test(text[at] ?? "")) at++;
  return text[at] === ":";
}

function asFields(value: unknown, where: string): Fields {
  if (isObject(value)) return value;
  throw new KitError(`${where}: a row must be an object of named fields and not ${shown(value)}; correct it.`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
