import { resolve } from "node:path";
import { findClosest, KitError, showValue } from "../error.ts";
import { roundings, weightFormats } from "../models/weights.ts";
import { backendNames } from "../tensor/backend.ts";
import { PRODUCTS } from "../tensor/products.ts";
import { findMethod, methodNames, paperMethods } from "./methods.ts";
import type { MeasureOptions, MeasureRequest, PerMethod, PerMethodSetting, Settled } from "./request.ts";
import { measures } from "./runMethod.ts";

/** What is wrong with a value, "it must be …"; undefined where nothing is. */
export type Check = (value: unknown) => string | undefined;

/** A whole number from `least` on. */
export const wholeFrom =
  (least: number): Check =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= least
      ? undefined
      : `it must be a whole number of at least ${least}`;

/** A number from 0 on. */
export const amount: Check = (value) =>
  Number.isFinite(value) && (value as number) >= 0 ? undefined : "it must be a number of at least 0";

/** A number above 0. */
export const above0: Check = (value) =>
  Number.isFinite(value) && (value as number) > 0 ? undefined : "it must be a number above 0";

const text: Check = (value) => (typeof value === "string" && value !== "" ? undefined : "it must be a text");

const yesOrNo: Check = (value) => (typeof value === "boolean" ? undefined : "it must be true or false");

type Choice =
  | ("quoting" | "demonstrations" | "begin" | "chooseBy" | "schedule" | "noise" | "maximize" | "prefixInit")
  | ("backend" | "products" | "weights" | "rounding");

/** The words that options choose from. */
export const choices: Readonly<Record<Choice, readonly string[]>> = {
  quoting: ["double", "none"],
  demonstrations: ["fresh", "fixed"],
  begin: ["mezo", "config"],
  chooseBy: ["loss", "score"],
  schedule: ["constant", "linear"],
  noise: ["gaussian", "rademacher"],
  maximize: Object.keys(measures),
  prefixInit: ["activations", "random"],
  backend: ["auto", ...backendNames],
  products: PRODUCTS,
  weights: weightFormats,
  rounding: roundings,
};

const among =
  (words: readonly string[]): Check =>
  (value) =>
    words.includes(value as string) ? undefined : `it must be one of ${words.join(", ")}`;

const choice = Object.fromEntries(Object.entries(choices).map(([name, words]) => [name, among(words)])) as Record<
  Choice,
  Check
>;

/** A list of one item at least, none of them twice. */
const list =
  (check: Check): Check =>
  (value) => {
    if (!Array.isArray(value) || value.length === 0) return "it must be a list that is not empty";
    const twice = value.find((item, i) => value.indexOf(item) !== i);
    return twice === undefined
      ? value.map(check).find((wrong) => wrong !== undefined)
      : `${twice} is there twice: name each once`;
  };

/** One value for all methods, or one for each that is named. */
const perMethod =
  (check: Check): Check =>
  (value) => {
    if (typeof value !== "object" || value === null) return check(value);
    const unknown = Object.keys(value).find((name) => name !== "all" && !findMethod(name));
    if (unknown !== undefined) return `${unknown.trim()} is no method: name ${methodNames.join(", ")}`;
    return Object.values(value)
      .map(check)
      .find((wrong) => wrong !== undefined);
  };

const method: Check = (value) =>
  typeof value === "string" && findMethod(value) ? undefined : `methods are ${methodNames.join(", ")}`;

const methodList: Check = (value) =>
  list(method)(Array.isArray(value) ? value.map((name) => findMethod(String(name))?.name ?? name) : value);

/** What each option must be. */
export const checks: { readonly [Name in keyof Required<MeasureOptions>]: Check } = {
  ...{ model: text, revision: text, data: text, encoding: text, out: text, figures: text },
  ...{ train: wholeFrom(1), dev: wholeFrom(1), test: wholeFrom(1), k: wholeFrom(1) },
  ...{ shots: wholeFrom(1), threads: wholeFrom(1), seeds: list(wholeFrom(0)), splitSeed: wholeFrom(0) },
  ...{ microBatchSize: wholeFrom(1), evaluateEvery: wholeFrom(1) },
  ...{ rank: wholeFrom(1), alpha: above0, targets: text, rslora: yesOrNo, prefixLength: wholeFrom(1) },
  ...{ checkpointing: yesOrNo, untied: yesOrNo, smoke: yesOrNo, resume: yesOrNo },
  ...choice,
  task: (value) => (Array.isArray(value) ? list(text)(value) : text(value)),
  methods: methodList,
  weightDecay: amount,
  ...{
    steps: perMethod(wholeFrom(1)),
    batchSize: perMethod(wholeFrom(1)),
    lr: perMethod(amount),
    eps: perMethod(amount),
  },
};

/** What options are where they are left out. */
export const defaults: Required<Pick<MeasureOptions, Settled | "task">> = {
  ...{
    task: "SST-2",
    methods: paperMethods.map(({ name }) => name),
    seeds: [1],
    test: 1000,
    shots: 32,
    demonstrations: "fresh",
    begin: "mezo",
  },
  ...{ checkpointing: false, weightDecay: 0, schedule: "constant", noise: "gaussian" },
  ...{ backend: "auto", weights: "float32", rounding: "stochastic", untied: false },
  ...{ out: "data/runs", figures: "figures", smoke: false, resume: false },
};

/** A look at everything in under a minute; its numbers mean nothing. */
export const smokeDefaults: MeasureOptions & Required<Pick<MeasureOptions, "out" | "figures">> = {
  ...{ train: 64, dev: 32, test: 64, shots: 4, seeds: [1] },
  ...{ out: "data/runs/smoke", figures: "figures/smoke" },
};

/** The steps of a smoke run, where a method has none of its own. */
export const SMOKE_STEPS = 20;

/** How a reader writes an option's name: in a cell as it is, on a command line as a flag. */
export type NameOption = (name: string) => string;

/** Returns the request that options make, with the defaults of a smoke run where it is one. Throws a KitError for an option that is unknown or has a wrong value. */
export function makeRequest(given: MeasureOptions, nameOption: NameOption = (name) => name): MeasureRequest {
  const options: MeasureOptions = withoutUndefined(given);
  for (const [name, value] of Object.entries(options)) checkOption(name, value, nameOption);
  const { task, methods, steps, batchSize, lr, eps, ...rest } = { ...defaults, ...smokeSizes(options), ...options };
  const perMethod = { steps: options.smoke ? { all: SMOKE_STEPS, ...byMethod(steps) } : byMethod(steps) };
  return {
    ...rest,
    tasks: typeof task === "string" ? (isAll(task) ? "all" : [task]) : task,
    methods: methods.map((name) => findMethod(name)!.name),
    ...withoutUndefined({ ...perMethod, batchSize: byMethod(batchSize), lr: byMethod(lr), eps: byMethod(eps) }),
    ...{ out: resolve(rest.out), figures: resolve(rest.figures) },
  };
}

function checkOption(name: string, value: unknown, nameOption: NameOption): void {
  if (!Object.hasOwn(checks, name)) {
    const known = Object.keys(checks);
    const near = findClosest(name, known);
    const advice = near === undefined ? `it has ${known.join(", ")}` : `did you mean ${near}`;
    throw new KitError(`${nameOption(name)} is no option of what to measure: ${advice}.`);
  }
  const wrong = checks[name as keyof MeasureOptions](value);
  if (wrong !== undefined) throw new KitError(`${nameOption(name)} is ${showValue(value)}: ${wrong}.`);
}

const isAll = (task: string): boolean => task.trim().toLowerCase() === "all";

/** The sizes of a smoke run; k says what train and dev are. */
function smokeSizes({ smoke, k }: MeasureOptions): MeasureOptions {
  if (!smoke) return {};
  const { train, dev, ...others } = smokeDefaults;
  return k === undefined ? smokeDefaults : others;
}

/** The values by the methods' own names; one for all under "all". */
function byMethod(setting: PerMethodSetting | undefined): PerMethod | undefined {
  if (typeof setting !== "object") return setting === undefined ? undefined : { all: setting };
  return Object.fromEntries(Object.entries(setting).map(([name, value]) => [findMethod(name)?.name ?? name, value]));
}

/** Without the entries that say nothing. */
export function withoutUndefined<T extends object>(entries: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  const said = Object.entries(entries).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said) as { [Key in keyof T]: Exclude<T[Key], undefined> };
}
