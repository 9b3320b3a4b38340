import { KitError } from "../error.ts";

/** Throws a KitError unless an option is a whole number from 1 on. */
export function checkCount(adapter: string, option: string, value: number): void {
  if (!(Number.isInteger(value) && value >= 1))
    throw new KitError(`${adapter} needs a whole number from 1 on as ${option}, not ${value}.`);
}
