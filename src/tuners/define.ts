import { KitError } from "../error.ts";
import type { Tuner, TunerOptions } from "./tuner.ts";

/** A tuner without its name: what `defineTuner` is given. */
export type TunerBody = Omit<Tuner, "name">;

/** What is known of a tuner beside how it is made. */
export interface TunerTraits {
  /** Whether a step follows from its one estimate, the difference of two losses over 2 eps: then four bytes a step are a whole run. */
  readonly byEstimate?: boolean;
}

interface Definition extends TunerTraits {
  readonly make: (options: never) => Tuner;
}

const definitions = new Map<string, Definition>();

/**
 * Defines a tuner whose steps follow from the losses that it asks for: runs name it, and its options as `options` gives them make it
 * again, so that they can be resumed and replayed wherever the file that defines it is imported. A later definition of a name replaces
 * an earlier one, as when a notebook's cell is run twice.
 */
export function defineTuner<Options extends object>(
  name: string,
  make: (options: Options) => TunerBody,
  traits: TunerTraits = {},
): (options: Options) => Tuner {
  const tuner = (options: Options): Tuner => ({ name, ...make(options) });
  definitions.set(name, { make: tuner, ...traits });
  return tuner;
}

/** Whether a tuner of that name is defined here, so that its steps can be recomputed from a run's file: not FT's, which need gradients. */
export function isTunerDefined(name: string | undefined): boolean {
  return name !== undefined && definitions.has(name);
}

/** The names of the tuners defined here whose runs are told by one estimate a step. */
export function tunersByEstimate(): string[] {
  return [...definitions].flatMap(([name, { byEstimate }]) => (byEstimate ? [name] : []));
}

/** Whether a run of a tuner of that name is told by one estimate a step; not that of a run without a tuner. */
export function isByEstimate(name: string | undefined): boolean {
  return name !== undefined && definitions.get(name)?.byEstimate === true;
}

/** The tuner of that name with the options that a run's header has. Throws a KitError where none is defined. */
export function tunerNamed(name: string, options: TunerOptions): Tuner {
  const definition = definitions.get(name);
  if (definition) return definition.make(options as never);
  throw new KitError(
    `The steps of ${name} were to be replayed, but no tuner of that name is defined, and those of FT need gradients that no run file holds: import the file that defines it, such as mezo-kit/lab; defined are ${[...definitions.keys()].join(", ")}.`,
  );
}
