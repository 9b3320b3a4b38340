import { KitError } from "../error.ts";
import type { Config } from "./family.ts";

/** Throws a KitError, which names the family, unless the config has a positive whole number under each of the names. */
export function checkSizes(family: string, config: Config, names: readonly string[]): void {
  const bad = names.filter((name) => !(Number.isInteger(config[name]) && (config[name] as number) > 0));
  if (bad.length > 0)
    throw new KitError(
      `The ${family} config needs positive whole numbers for ${bad.join(", ")}: complete config.json.`,
    );
}

/** Throws a KitError, which names the family, unless `parts` divides `whole`. */
export function checkDivides(family: string, parts: number, whole: number, what: string): void {
  if (whole % parts !== 0)
    throw new KitError(
      `The ${family} config divides ${what} of ${whole} among ${parts} heads, which leaves a rest: correct config.json.`,
    );
}

/** Weight and bias of a projection, or its weight alone, under its checkpoint name: [out, from]. */
export function denseShapes(name: string, out: number, from: number, bias = true): Record<string, number[]> {
  return { [`${name}.weight`]: [out, from], ...(bias && { [`${name}.bias`]: [out] }) };
}

/** Gain and shift of a layer normalization. */
export function normShapes(name: string, width: number): Record<string, number[]> {
  return { [`${name}.weight`]: [width], [`${name}.bias`]: [width] };
}

/** The shapes under names that begin with `at`. */
export function under(at: string, shapes: Readonly<Record<string, readonly number[]>>): [string, readonly number[]][] {
  return Object.entries(shapes).map(([name, shape]) => [`${at}.${name}`, shape]);
}

/** A config with defaults for what it leaves out or sets to null. */
export function withDefaults(defaults: Config, found: Config): Config {
  return { ...defaults, ...Object.fromEntries(Object.entries(found).filter(([, value]) => value !== null)) };
}
