import { readFileSync } from "node:fs";

/** The contents of data/paper/<name>.json, which must have the form T. */
export function paperData<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../data/paper/${name}.json`, import.meta.url), "utf8")) as T;
}
