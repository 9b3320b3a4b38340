import { shorten, showValue } from "../error.ts";
import type { DataSource } from "../tasks/task.ts";
import { areProductsChosen } from "../tensor/products.ts";
import type { HalfKind } from "../tensor/source.ts";
import type { NamedOptions, Run, RunHeader, Scalar, Score, StepRecord, UnfinishedRun } from "./run.ts";

/** Something that two runs have different; undefined where a run has it not. */
export interface Difference {
  /** A header's field ("tuner.options.lr"), "losses", "projectedGrad", a score's number ("test loss"), "steps" where one run ends, or "fork". */
  readonly what: string;
  readonly one: unknown;
  readonly other: unknown;
}

/** Where two runs part: after how many steps in common, and what differs there. */
export interface Parting extends Difference {
  readonly step: number;
}

/** What is of the machine and the kit that made a run, and not of the run. */
export const MACHINE: readonly string[] = ["threads", "processor", "kit"];

/** What may differ without a difference in the weights: where and on how many threads a run was computed, and how it was looked at. */
const ELSEWHERE: readonly string[] = [...MACHINE, "backend", "method"];

/** What a field is where a header has it not. */
const ABSENT: Readonly<Record<string, unknown>> = { products: "float32" };

/** What a score has beside its part of the data and its step, in the order it is compared in. */
const NUMBERS = ["score", "loss", "exactMatch", "standardError", "n", "theta"] as const;

/** Where two runs part: the first setting, loss or score that differs; undefined for two that are the same. */
export function diff(a: UnfinishedRun, b: UnfinishedRun): Parting | undefined {
  const [all, others] = [listChapters(a), listChapters(b)];
  for (let i = 0; i < Math.max(all.length, others.length); i++) {
    const [one, other] = [all[i], others[i]];
    const parting = one && other ? compareChapters(one, other) : compareFork(one, other);
    const goesOn = all.length !== others.length && i === Math.min(all.length, others.length) - 1;
    if (parting && !(goesOn && parting.what === "steps")) return parting;
  }
  return undefined;
}

interface Chapter {
  readonly run: UnfinishedRun;
  readonly first: number;
}

function listChapters(run: UnfinishedRun): Chapter[] {
  const earlier = run.before ? listChapters(run.before) : [];
  const last = earlier.at(-1);
  return [...earlier, { run, first: last ? last.first + last.run.steps.length : 0 }];
}

function compareChapters({ run, first }: Chapter, { run: other, first: otherFirst }: Chapter): Parting | undefined {
  if (first !== otherFirst) return { step: Math.min(first, otherFirst), what: "fork", one: first, other: otherFirst };
  const setting = compareHeaders(run.header, other.header, ELSEWHERE);
  if (setting) return { step: first, ...setting };
  const step = compareSteps(run.steps, other.steps, first);
  const score = compareScores(run.scores, other.scores);
  return score && (!step || isBefore(score, step)) ? score : step;
}

/** Whether a score comes before a step: it is made before the step of its number, but a run that ends there may lack it. */
function isBefore({ step: at, one, other }: Parting, { step, what }: Parting): boolean {
  const isLacking = one === undefined || other === undefined;
  return at < step || (at === step && !(what === "steps" && isLacking));
}

/** One of the runs continues from the other's weights with settings of its own. */
function compareFork(one: Chapter | undefined, other: Chapter | undefined): Parting {
  return {
    step: (one ?? other)!.first,
    what: "fork",
    one: one && forkSettings(one),
    other: other && forkSettings(other),
  };
}

/** What tells a fork from the run that it began from. */
export interface ForkSettings {
  readonly seed: number;
  readonly lr: Scalar | undefined;
}

const forkSettings = ({ run: { header } }: Chapter): ForkSettings => ({
  seed: header.seed,
  lr: header.tuner?.options.lr,
});

/**
 * The first field in which two headers differ, those in `except` aside; undefined where they are the same. Data is the same where the
 * files' contents are, whatever their names, and as many rows were left out.
 */
export function compareHeaders(a: RunHeader, b: RunHeader, except: readonly string[]): Difference | undefined {
  const [left, right] = [listFields(a), listFields(b)];
  const same = ["remark", ...except];
  const isSame = (name: string): boolean =>
    same.includes(name) || (a.data.sha256 === b.data.sha256 && /^data\.(files|revision|rows)\b/.test(name));
  const names = [...new Set([...left.keys(), ...right.keys()])].filter((name) => !isSame(name));
  const valueIn = (fields: ReadonlyMap<string, unknown>, name: string): unknown => fields.get(name) ?? ABSENT[name];
  const what = names.find((each) => valueIn(left, each) !== valueIn(right, each));
  return what === undefined ? undefined : { what, one: valueIn(left, what), other: valueIn(right, what) };
}

/** A header's fields by name, groups unfolded: "tuner.options.lr". */
export function listFields(header: object, start = ""): ReadonlyMap<string, unknown> {
  const entries = Object.entries(header).flatMap(([name, value]): [string, unknown][] =>
    typeof value === "object" && value !== null
      ? [...listFields(value, `${start}${name}.`)]
      : [[`${start}${name}`, value]],
  );
  return new Map(entries);
}

function compareSteps(a: readonly StepRecord[], b: readonly StepRecord[], first: number): Parting | undefined {
  for (const [i, one] of a.slice(0, b.length).entries())
    for (const what of ["losses", "projectedGrad"] as const)
      if (String(one[what]) !== String(b[i]![what]))
        return { step: first + i, what, one: one[what], other: b[i]![what] };
  if (a.length === b.length) return undefined;
  const [one, other] = [first + a.length, first + b.length];
  return { step: Math.min(one, other), what: "steps", one, other };
}

function compareScores(a: readonly Score[], b: readonly Score[]): Parting | undefined {
  const all = [...a, ...b].toSorted((left, right) => left.step - right.step);
  for (const { on, step } of all) {
    const [one, other] = [a, b].map((scores) => scores.find((score) => score.on === on && score.step === step));
    const what = NUMBERS.find((name) => one?.[name] !== other?.[name]);
    if (what) return { step, what: `${on} ${what}`, one: one?.[what], other: other?.[what] };
  }
  return undefined;
}

/** Whether a run is there already: finished, with these very settings, whatever machine made it and formed its products, unless a way was chosen here. */
export function isFinished(run: UnfinishedRun | undefined, header: RunHeader): run is Run {
  const except = areProductsChosen() ? MACHINE : [...MACHINE, "products"];
  return run !== undefined && "cost" in run && compareHeaders(run.header, header, except) === undefined;
}

/** A K-shot folder of the authors' code: its k and its seed. */
const SHOTS = /\b(\d+)-\d+\//;

/**
 * What must be the same in the data of runs that are averaged: the content. Of the authors' K-shot folders, whose training rows are others
 * under each seed, it is the k and the files' names.
 */
export function findSource({ files, sha256 }: DataSource): string {
  return files.some((name) => SHOTS.test(name)) ? files.map(shotsName).join(" + ") : sha256;
}

/** "16-seed/train.tsv" of "16-13/train.tsv" */
export function shotsName(name: string): string {
  return name.replace(SHOTS, "$1-seed/");
}

/** "CB/train.jsonl + CB/val.jsonl, sha256 0123456789ab" */
export function dataText({ files, sha256 }: DataSource): string {
  return `${files.join(" + ")}, sha256 ${sha256}`;
}

/** "float16, stochastic rounding" */
export function weightsText({ format, rounding }: HalfKind): string {
  return `${format}, ${rounding} rounding`;
}

/** "LoRA (rank 8, alpha 16)", or "no adapter". */
export function adapterText(adapter: NamedOptions | undefined): string {
  if (!adapter) return "no adapter";
  const options = Object.entries(adapter.options).map(([name, value]) => `${name} ${value}`);
  return options.length === 0 ? adapter.name : `${adapter.name} (${options.join(", ")})`;
}

/** "tuner.options.lr is 0.001 in one and 0.01 in the other" */
export function differenceText({ what, one, other }: Difference): string {
  return `${shorten(what)} is ${bothTexts(one, other)}`;
}

/** Why two runs part. */
export function partingText({ step, what, one, other }: Parting): string {
  if (what === "steps") return `one ends after ${step} steps, the other after ${Math.max(Number(one), Number(other))}`;
  if (what === "losses") return `the losses of step ${step} are ${bothTexts(one, other)}`;
  if (what !== "fork") return differenceText({ what, one, other });
  if (one === undefined) return `one ends, the other continues as a fork (${forkText(other)})`;
  if (other === undefined) return `one continues as a fork (${forkText(one)}), the other ends`;
  return `one was forked after ${one} steps, the other after ${other}`;
}

function forkText(settings: unknown): string {
  const { seed, lr } = settings as ForkSettings;
  return `seed ${showValue(seed)}, lr ${showValue(lr)}`;
}

function bothTexts(one: unknown, other: unknown): string {
  const [left, right] = [one, other].map((value) => {
    if (value === undefined) return "absent";
    return Array.isArray(value) ? shorten(value.join(" and ")) : showValue(value);
  });
  return `${left} in one and ${right} in the other`;
}
