import { KitError, showValue } from "../error.ts";

/** A checkpoint's config.json. */
export type Config = Readonly<Record<string, unknown>>;

/** What a field of config.json needs to hold, in words, and whether a value is that in its config. */
export interface Field {
  readonly needs: string;
  readonly fits: (value: unknown, config: Config) => boolean;
}

/** The fields of a family's config by their names; those that may be left out have defaults, or are optional. */
export type Fields<C> = Readonly<Record<keyof C & string, Field>>;

const isWhole = (value: unknown, least: number, most: number): boolean =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;

const LARGEST = 2 ** 31 - 1;

/** A width, a number of heads, or another count of at least one. */
export const size: Field = { needs: "a whole number from 1 on", fits: (value) => isWhole(value, 1, LARGEST) };

/** Twice as wide as it turns pairs. */
export const evenSize: Field = {
  needs: "an even whole number from 2 on",
  fits: (value) => isWhole(value, 2, LARGEST) && (value as number) % 2 === 0,
};

const MOST_LAYERS = 1000; // the deepest released language models have about 120

/** A number of layers; names of more than any model's weights are not even made. */
export const layers: Field = {
  needs: `a whole number from 1 to ${MOST_LAYERS}`,
  fits: (value) => isWhole(value, 1, MOST_LAYERS),
};

/** The id of a token that the vocabulary has. */
export const tokenId: Field = {
  needs: "a whole number from 0 on, below vocab_size",
  fits: (value, { vocab_size }) => isWhole(value, 0, size.fits(vocab_size, {}) ? (vocab_size as number) - 1 : LARGEST),
};

/** The id of a token, or several, of which the first is taken. */
export const tokenIds: Field = {
  needs: `${tokenId.needs}, or a list of them`,
  fits: (value, config) =>
    Array.isArray(value) && value.length > 0
      ? value.every((id) => tokenId.fits(id, config))
      : tokenId.fits(value, config),
};

/** A number that multiplies or is added under a root. */
export const positive: Field = {
  needs: "a number above 0",
  fits: (value) => typeof value === "number" && Number.isFinite(value) && value > 0,
};

export const flag: Field = { needs: "true or false", fits: (value) => typeof value === "boolean" };

/** The only value of which the computation is built. */
export const only = (built: string | number | boolean): Field => ({
  needs: `${JSON.stringify(built)}, the only one that is built,`,
  fits: (value) => value === built,
});

export const optional = ({ needs, fits }: Field): Field => ({
  needs,
  fits: (value, config) => value === undefined || fits(value, config),
});

/**
 * A family's config with its defaults, for what is left out or null. Throws a KitError, which names the family and every field, for
 * values that do not fit.
 */
export function readFields<C>(family: string, fields: Fields<C>, defaults: Partial<C>, found: Config): C {
  const config: Config = withDefaults(defaults as Config, found);
  const wrong = Object.entries<Field>(fields).filter(([name, { fits }]) => !fits(config[name], config));
  if (wrong.length === 0) return config as unknown as C;
  const own = wrong.filter(([name]) => name in found || !(name in defaults)); // what is made from these may not fit either
  const parts = (own.length > 0 ? own : wrong).map(
    ([name, { needs }]) => `${needs} for ${name}, not ${showValue(name in found ? found[name] : config[name])}`,
  );
  throw new KitError(`The ${family} config needs ${parts.join("; ")}: correct config.json.`);
}

/** A config with defaults for what it leaves out or sets to null. */
function withDefaults(defaults: Config, found: Config): Config {
  return { ...defaults, ...Object.fromEntries(Object.entries(found).filter(([, value]) => value !== null)) };
}

/** Throws a KitError, which names the family, unless `parts` divides `whole`. */
export function checkDivides(family: string, parts: number, whole: number, what: string): void {
  if (whole % parts !== 0)
    throw new KitError(
      `The ${family} config divides ${what} of ${whole} among ${parts} heads, which leaves a rest: correct config.json.`,
    );
}
