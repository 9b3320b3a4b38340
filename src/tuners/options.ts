import { KitError } from "../error.ts";
import { gaussian, type Perturb } from "../tensor/parameter.ts";
import { type Schedule, schedules } from "./schedule.ts";

/** What every zeroth-order tuner takes; the paper's grids are in Tables 15 and 16. */
export interface ZerothOptions {
  readonly lr: number;
  /** Size of the perturbation. */
  readonly eps?: number;
  readonly schedule?: Schedule;
  /** As the authors': subtracts lr · weightDecay · theta, except from biases and layer norms. */
  readonly weightDecay?: number;
  /** The law of z. */
  readonly noise?: Perturb;
}

/** The options with the paper's values where they were left out. Throws a KitError for one that is out of range, and for keys besides these and `own`. */
export function zerothOptions(tuner: string, options: ZerothOptions, own: readonly string[] = []): Zeroth {
  const { lr, eps = 1e-3, schedule = "constant", weightDecay = 0, noise = gaussian } = options;
  refuseUnknown(tuner, options, ["lr", "eps", "schedule", "weightDecay", "noise", ...own]);
  refuseRate(tuner, lr, schedule);
  refuseUnless(tuner, [
    [eps > 0 && Number.isFinite(eps), `needs an eps above 0, not ${eps}: the paper takes 1e-3`],
    atLeastZero("weight decay", weightDecay),
  ]);
  return { lr, eps, schedule, weightDecay, noise };
}

/** A zeroth-order tuner's options, none left out. */
export type Zeroth = Required<ZerothOptions>;

/** What a run's header says of the options. */
export function describe({ noise, ...numbers }: Partial<Zeroth>): Readonly<Record<string, string | number>> {
  return { ...numbers, noise: noise?.law ?? "custom" };
}

/** Throws a KitError for a key of the options that is none of `known`. */
export function refuseUnknown(tuner: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).filter((key) => !known.includes(key));
  const has = `${known.slice(0, -1).join(", ")} and ${known.at(-1)}`;
  refuseUnless(tuner, [[unknown.length === 0, `has no option ${unknown.join(", ")}: it has ${has}`]]);
}

/** Throws a KitError for a learning rate below 0, and for a schedule that there is not. */
export function refuseRate(tuner: string, lr: number, schedule: Schedule): void {
  const [ok, message] = atLeastZero("learning rate", lr);
  refuseUnless(tuner, [
    [ok, `${message}: the paper's are in Tables 15 and 16`],
    [schedules.includes(schedule), `has no schedule "${schedule}": choose one of ${schedules.join(", ")}`],
  ]);
}

/** Whether a condition holds, and what to say of the tuner where it does not. */
export type Condition = readonly [holds: boolean, otherwise: string];

/** Throws a KitError that names the tuner and the first condition that does not hold. */
export function refuseUnless(tuner: string, conditions: readonly Condition[]): void {
  const broken = conditions.find(([holds]) => !holds);
  if (broken) throw new KitError(`${tuner} ${broken[1]}.`);
}

/** The condition that a number is 0 or more. */
export function atLeastZero(what: string, value: number): Condition {
  return [value >= 0 && Number.isFinite(value), `needs a ${what} of at least 0, not ${value}`];
}

/** The condition that a number is a decay rate: from 0 on, below 1. */
export function decayRate(what: string, value: number): Condition {
  return [value >= 0 && value < 1, `needs a ${what} from 0 on and below 1, not ${value}`];
}

/** The condition that a number is a whole number from 1 on. */
export function wholeFromOne(what: string, value: number): Condition {
  return [Number.isSafeInteger(value) && value >= 1, `needs a whole number from 1 on as ${what}, not ${value}`];
}

/** The condition that a word is one of those there are. */
export function oneOf(what: string, value: string, words: readonly string[]): Condition {
  return [words.includes(value), `has no ${what} "${value}": choose one of ${words.join(", ")}`];
}
