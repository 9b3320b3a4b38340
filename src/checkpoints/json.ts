import { readFileSync } from "node:fs";
import { KitError } from "../error.ts";

/** Whether a JSON value is an object with named fields. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object that a JSON file holds; throws a KitError for a file that cannot be read or holds anything else. */
export function readObject(path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new KitError(`Reading ${path}: ${(error as Error).message}; it must be JSON, so download it again.`);
  }
  if (!isObject(value)) throw new KitError(`Reading ${path}: it is not a JSON object; download it again.`);
  return value;
}
