import { KitError } from "../error.ts";

/** How much a notebook computes: seconds on the samples, minutes on a laptop, or what the paper did. */
export type Scale = "smoke" | "laptop" | "paper";

const SCALES: readonly Scale[] = ["smoke", "laptop", "paper"];

/**
 * The scale that a notebook runs at: `chosen`, where the environment variable MEZO_SCALE names no other. Throws a KitError for a
 * scale that there is not.
 */
export function scale(chosen: Scale): Scale {
  const name = process.env.MEZO_SCALE ?? chosen;
  if ((SCALES as readonly string[]).includes(name)) return name as Scale;
  throw new KitError(`The scale ${name} was asked for, but there are ${SCALES.join(", ")}: choose one of these.`);
}

/** The settings of a scale, with single ones replaced by the JSON in the environment variable MEZO_SETTINGS. Throws a KitError for JSON that is none. */
export function settingsFor<T extends object>(chosen: Scale, byScale: Readonly<Record<Scale, T>>): T {
  const text = process.env.MEZO_SETTINGS ?? "{}";
  try {
    return { ...byScale[chosen], ...(JSON.parse(text) as Partial<T>) };
  } catch {
    throw new KitError(`MEZO_SETTINGS was to be a JSON object with settings, but is ${text}: correct or unset it.`);
  }
}
