import { KitError } from "../error.ts";

/** Throws a KitError that names the options left over after an adapter took its own. */
export function checkOptions(adapter: string, unknown: object, known: readonly string[]): void {
  const names = Object.keys(unknown);
  if (names.length > 0)
    throw new KitError(`${adapter} has no option ${names.join(", ")}: it has ${known.join(" and ")}.`);
}

/** Throws a KitError unless an option is a whole number from 1 on. */
export function checkCount(adapter: string, option: string, value: number): void {
  if (!(Number.isInteger(value) && value >= 1))
    throw new KitError(`${adapter} needs a whole number from 1 on as ${option}, not ${value}.`);
}
