import { KitError } from "../error.ts";
import { smallest } from "../tensor/mask.ts";
import type { Distribution } from "../tensor/noise/key.ts";
import { type Draw, gaussian, type Parameter, type Perturb, rademacher } from "../tensor/parameter.ts";
import { type Line, lineAlong } from "./line.ts";
import type { Objective, StepResult, Tuner } from "./tuner.ts";

/** Learning rate as a share of its start: constant, as the paper uses for MeZO, or falling linearly to 0 (Section 2.1; Table 7). */
export type Schedule = "constant" | "linear";

/** The names of the schedules. */
export const schedules: readonly Schedule[] = ["constant", "linear"];

/** The share at step `step` (from 0) of `total`. */
export function scheduled(schedule: Schedule, step: number, total: number): number {
  return schedule === "linear" ? 1 - step / total : 1;
}

/** What every zeroth-order tuner takes; the paper's grids are in Tables 15 and 16. */
export interface ZerothOptions {
  readonly lr: number;
  /** Size of the perturbation. */
  readonly eps?: number;
  readonly schedule?: Schedule;
  /** As the authors': subtracts lr · weightDecay · theta, except from biases and layer norms. */
  readonly weightDecay?: number;
  /** The law of z, or its name as a run's header has it. */
  readonly noise?: Perturb | Distribution;
  /**
   * The share of each weight tensor that z is for: its elements of least magnitude when the training begins (Sparse-MeZO, Liu et al. 2024). The
   * others are neither perturbed nor moved by z; all are where it is left out. Weight decay acts on all.
   */
  readonly share?: number;
}

/** The options with the paper's values where they were left out. Throws a KitError for one that is out of range, and for keys besides these and `own`. */
export function zerothOptions(tuner: string, options: ZerothOptions, own: readonly string[] = []): Zeroth {
  const { lr, eps = 1e-3, schedule = "constant", weightDecay = 0, noise = "gaussian", share = 1 } = options;
  refuseUnknown(tuner, options, ["lr", "eps", "schedule", "weightDecay", "noise", "share", ...own]);
  refuseRate(tuner, lr, schedule);
  refuseUnless(tuner, [
    [eps > 0 && Number.isFinite(eps), `needs an eps above 0, not ${eps}: the paper takes 1e-3`],
    atLeastZero("weight decay", weightDecay),
    [share > 0 && share <= 1, `needs a share above 0 and up to 1, not ${share}`],
    [
      share === 1 || typeof noise === "string" || typeof noise.law === "string",
      "needs gaussian or rademacher noise for a share of it",
    ],
  ]);
  const law = typeof noise === "string" ? noiseNamed(tuner, noise) : noise;
  return { tuner, lr, eps, schedule, weightDecay, noise: law, share };
}

/** A zeroth-order tuner's name and its options, none left out. */
export type Zeroth = Required<ZerothOptions> & { readonly tuner: string; readonly noise: Perturb };

const LAWS: Readonly<Record<Distribution, Perturb>> = { gaussian, rademacher };

function noiseNamed(tuner: string, law: string): Perturb {
  if (Object.hasOwn(LAWS, law)) return LAWS[law as Distribution];
  throw new KitError(
    `${tuner} was to draw its z from "${law}" noise, which the kit does not know: it knows ${Object.keys(LAWS).join(" and ")}.`,
  );
}

/** The options as a run's header has them; a share that is all is left out. */
export function describeZeroth(settings: Partial<Zeroth>): Readonly<Record<string, string | number>> {
  const { tuner: _, noise, share = 1, ...numbers } = settings;
  return { ...numbers, noise: typeof noise?.law === "string" ? noise.law : "custom", ...(share < 1 && { share }) };
}

/** What a zeroth-order step works with: the objective, the step's z and its learning rate. */
export interface ZerothStep {
  readonly objective: Objective;
  readonly z: Draw;
  readonly lr: number;
  /** Which step, from 0, of how many. */
  readonly step: number;
  readonly total: number;
}

/** Draws the line through weights along a z of the tuner's noise. */
export type Along = (theta: readonly Parameter[], objective: Objective, z: Draw) => Line;

/** Takes one step and says what it found. */
export type TakeStep = (at: ZerothStep) => Promise<Omit<StepResult, "lr"> & Partial<Pick<StepResult, "lr">>>;

/** How a zeroth-order tuner trains: `start` is given the weights and how to draw lines through them, and gives what takes a step. */
export function zerothOrder(
  {
    tuner,
    lr: peak,
    schedule,
    noise,
    share = 1,
  }: Pick<Zeroth, "lr" | "schedule" | "noise"> & Partial<Pick<Zeroth, "tuner" | "share">>,
  start: (theta: readonly Parameter[], along: Along, noise: Perturb) => TakeStep,
): Tuner["begin"] {
  return (theta, inFewPasses = (direct) => direct) => {
    const swept = inFewPasses(noise);
    let masks: Draw["masks"];
    const take = start(theta, (weights, objective, z) => lineAlong(weights, objective, swept, z, tuner), swept);
    return {
      step: async (objective, { seed, step, total }) => {
        const lr = peak * scheduled(schedule, step, total);
        if (share < 1) masks ??= await smallest(theta, share);
        const z = { seed, step, ...(masks && { masks }) };
        return { lr, ...(await take({ objective, z, lr, step, total })) };
      },
      dispose: () => {},
    };
  };
}

/** Throws a KitError for an option that is not in `known`. */
export function refuseUnknown(tuner: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).filter((key) => !known.includes(key));
  const has = `${known.slice(0, -1).join(", ")} and ${known.at(-1)}`;
  refuseUnless(tuner, [[unknown.length === 0, `has no option ${unknown.join(", ")}: it has ${has}`]]);
}

/** Throws a KitError for a learning rate below 0, and for an unknown schedule. */
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
