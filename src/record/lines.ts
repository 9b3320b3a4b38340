import { createHash, type Hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { KitError, NotFinite, shorten, showValue } from "../error.ts";
import { type HeaderOfFormat2, readFormat2 } from "./format2.ts";
import type { Cost, RunHeader, Score, StepRecord, UnfinishedRun } from "./run.ts";

/** The float32 number in the fewest decimal digits that are read back to it. */
export function shortest(value: number): number {
  for (let places = 1; places < 9; places++) {
    const short = Number(value.toPrecision(places));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

/** An estimate as a run's file gives it back: in float32. */
export function asRead(estimate: number | readonly number[]): number | readonly number[] {
  return typeof estimate === "number"
    ? Math.fround(shortest(estimate))
    : estimate.map((one) => Math.fround(shortest(one)));
}

/** The digits of a run file's hashes. */
export const digits = (hash: Hash): string => hash.digest("hex").slice(0, 16);

/** Makes the lines of a run's file, one after the other: each hash is over all that stands before it. A NotFinite says which number is not finite. */
export interface Chain {
  header(header: RunHeader): string;
  step(step: StepRecord): string;
  score(score: Score): string;
  cost(cost: Cost): string;
  /** Header, steps and scores in the order they were made, after those of the run that it began from. */
  run(run: UnfinishedRun): string;
  /** The SHA-256 over all lines so far. */
  digest(): Buffer;
}

/** The lines of a file that has the bytes already that `hash` is over. */
export function chain(hash: Hash = createHash("sha256")): Chain {
  const line = (record: object): string => {
    const text = `${JSON.stringify(record, onlyFinite)}\n`;
    hash.update(text);
    return text;
  };
  const hashed = (record: object): string => {
    const own = JSON.stringify(record, onlyFinite).slice(0, -1);
    return line({ ...record, hash: digits(hash.copy().update(own)) });
  };
  const step = (record: StepRecord): string => line(withShortGrad(record));
  const run = ({ header, steps, scores, before }: UnfinishedRun): string => {
    const earlier = before ? run(before) : "";
    const first = hashed({ header });
    return (
      earlier +
      first +
      inOrder({ steps, scores })
        .map((one) => ("losses" in one ? step(one) : hashed(one)))
        .join("")
    );
  };
  return {
    ...{ step, run, score: hashed },
    header: (header) => hashed({ header }),
    cost: (cost) => hashed({ cost }),
    digest: () => hash.copy().digest(),
  };
}

/** The steps and scores of a run in the order they were made. */
export function inOrder({ steps, scores }: Pick<UnfinishedRun, "steps" | "scores">): (StepRecord | Score)[] {
  const taken = (one: StepRecord | Score): number => ("losses" in one ? one.step + 1 : one.step);
  return [...steps, ...scores].toSorted((a, b) => taken(a) - taken(b));
}

/** The step with its estimates in the fewest digits that tell them. */
function withShortGrad({ projectedGrad, ...step }: StepRecord): StepRecord {
  if (projectedGrad === undefined) return step;
  return {
    ...step,
    projectedGrad: typeof projectedGrad === "number" ? shortest(projectedGrad) : projectedGrad.map(shortest),
  };
}

/** JSON has no NaN and no Infinity: they would be read back as null. */
function onlyFinite(key: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  throw new NotFinite(`The run's ${key} is ${value}, which a run file cannot hold; try a smaller learning rate.`);
}

/** A line of a run file. */
export type Line =
  | { readonly header: RunHeader; readonly hash: string }
  | StepRecord
  | (Score & { readonly hash: string })
  | { readonly cost: Cost; readonly hash: string };

const SCHEMA = resolve(import.meta.dirname, "../../data/schema/run.schema.json");

/** What a line is recognised by, and its part of the schema; that of a header in another format comes after it. */
const KINDS = { header: "headerLine", losses: "step", on: "score", cost: "costLine" } as const;
type Kind = (typeof KINDS)[keyof typeof KINDS] | "headerLineOfFormat2";

let schema: Ajv2020 | undefined;

function validator(kind: Kind): ValidateFunction {
  schema ??= new Ajv2020({ strict: true, allowUnionTypes: true }).addSchema(
    JSON.parse(readFileSync(SCHEMA, "utf8")),
    "run",
  );
  return schema.getSchema(`run#/$defs/${kind}`)!;
}

/** More bytes than any line has; what is longer would not fit into a string. */
const LONGEST_LINE = 2 ** 26;

/** Reads a line. Throws a KitError with the place of one that does not fit the schema. */
export function parseLine(bytes: Buffer, where: string): Line {
  const record = bytes.length <= LONGEST_LINE ? parsed(bytes.toString("utf8")) : undefined;
  if (!record) throw noLine(where);
  return checkLine(record, where);
}

/** Returns the line, a header in the present format. Throws a KitError as `parseLine` does. */
export function checkLine(record: Readonly<Record<string, unknown>>, where: string): Line {
  const by = (Object.keys(KINDS) as (keyof typeof KINDS)[]).find((name) => Object.hasOwn(record, name));
  if (!by) throw noLine(where);
  const isOld = by === "header" && formatOf(record.header, where) === 2;
  check(record, isOld ? "headerLineOfFormat2" : KINDS[by], where);
  if (isOld) return { header: readFormat2(record.header as HeaderOfFormat2), hash: String(record.hash) };
  return by === "losses" ? exact(record as unknown as StepRecord) : (record as unknown as Line);
}

/** Throws a KitError where a record is not as that part of the schema has it. */
function check(record: unknown, kind: Kind, where: string): void {
  const validate = validator(kind);
  if (validate(record)) return;
  const { instancePath, message = "is wrong", params } = validate.errors![0]!;
  const found = Object.values(params).map((value) => (typeof value === "string" ? shorten(value) : showValue(value)));
  const what = [shorten(instancePath.slice(1).replaceAll("/", ".")), message, ...found].filter((part) => part !== "");
  throw new KitError(
    `${where}: ${what.join(" ")}; the file was edited, or written by another version of the kit: take it as it was written.`,
  );
}

const noLine = (where: string): KitError =>
  new KitError(`${where} is no line of a run: the file was cut or edited; take it as it was written.`);

/** The version of the run file's lines. */
export const RUN_FORMAT = 3;

/** The format that a header says. Throws a KitError for one that this version cannot read; what is not a header is left to the schema. */
function formatOf(header: unknown, where: string): 2 | typeof RUN_FORMAT {
  const format = isObject(header) ? (header.format ?? 1) : RUN_FORMAT;
  if (format === 2 || format === RUN_FORMAT) return format;
  throw new KitError(
    `${where}: the run is of format ${showValue(format)}, and this version of the kit reads formats 2 and ${RUN_FORMAT}: run it again, or use the version that wrote it.`,
  );
}

/** Estimates are float32 numbers, whatever digits stand for them. */
function exact({ projectedGrad, ...step }: StepRecord): StepRecord {
  if (projectedGrad === undefined) return step;
  return {
    ...step,
    projectedGrad: typeof projectedGrad === "number" ? Math.fround(projectedGrad) : projectedGrad.map(Math.fround),
  };
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a value is a JSON object. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
