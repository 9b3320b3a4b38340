import { readFileSync } from "node:fs";
import { KitError, shorten } from "../error.ts";

/** Whether a JSON value is an object with named fields. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads the object of a JSON file. Throws a KitError for a file that cannot be read, is not a JSON object, or repeats a key. */
export function readObject(path: string): Record<string, unknown> {
  let json: string;
  let value: unknown;
  try {
    json = readFileSync(path, "utf8");
    value = JSON.parse(json);
  } catch (error) {
    throw new KitError(`Reading ${path}: ${shorten((error as Error).message)}; it must be JSON, so download it again.`);
  }
  if (!isObject(value)) throw new KitError(`Reading ${path}: it is not a JSON object; download it again.`);
  const twice = duplicateKey(json);
  if (twice === undefined) return value;
  throw new KitError(`Reading ${path}: it has "${shorten(twice)}" twice; remove the one that is not meant.`);
}

/** A key that some object in a JSON text has twice, of which JSON.parse silently takes the last; undefined where none has. */
export function duplicateKey(json: string): string | undefined {
  const keys: Set<string>[] = [];
  const mark = /["{}]/g;
  for (let found = mark.exec(json); found; found = mark.exec(json)) {
    if (found[0] === "{") keys.push(new Set());
    else if (found[0] === "}") keys.pop();
    else {
      mark.lastIndex = endOfString(json, found.index);
      if (!isKey(json, mark.lastIndex)) continue;
      const key = JSON.parse(json.slice(found.index, mark.lastIndex)) as string;
      if (keys.at(-1)!.has(key)) return key;
      keys.at(-1)!.add(key);
    }
  }
  return undefined;
}

/** The end of the string that begins at a quotation mark: after the next mark without an odd number of backslashes before it. */
function endOfString(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); ; end = json.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (json[end - 1 - backslashes] === "\\") backslashes++;
    if (backslashes % 2 === 0) return end + 1;
  }
}

function isKey(json: string, behind: number): boolean {
  let at = behind;
  while (" \n\r\t".includes(json[at]!)) at++;
  return json[at] === ":";
}
