import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { KitError } from "../../error.ts";
import type { Cost, RunHeader, Score, StepRecord } from "../run.ts";
import { quote } from "./sentences.ts";

/** A line of a run file. */
export type Line =
  | { readonly header: RunHeader; readonly hash: string }
  | StepRecord
  | (Score & { readonly hash: string })
  | { readonly cost: Cost; readonly hash: string };

const SCHEMA = resolve(import.meta.dirname, "../../../data/schema/run.schema.json");

/** What a line is recognised by, and its part of the schema. */
const KINDS = { header: "headerLine", losses: "step", on: "score", cost: "costLine" } as const;

let validators: Readonly<Record<string, ValidateFunction>> | undefined;

function validator(kind: keyof typeof KINDS): ValidateFunction {
  if (!validators) {
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
    ajv.addSchema(JSON.parse(readFileSync(SCHEMA, "utf8")), "run");
    const all = Object.entries(KINDS).map(([by, name]) => [by, ajv.compile({ $ref: `run#/$defs/${name}` })]);
    validators = Object.fromEntries(all);
  }
  return validators![kind]!;
}

/** More bytes than any line has; what is longer would not fit into a string. */
const LONGEST_LINE = 2 ** 26;

/** Reads a line. Throws a KitError that names the place for one that is none, or not as the schema has it. */
export function parseLine(bytes: Buffer, where: string): Line {
  const record = bytes.length <= LONGEST_LINE ? parsed(bytes.toString("utf8")) : undefined;
  if (!record) throw noLine(where);
  return checkLine(record, where);
}

/** Returns the line as the schema has it. Throws a KitError as `parseLine` does. */
export function checkLine(record: Readonly<Record<string, unknown>>, where: string): Line {
  const kind = (Object.keys(KINDS) as (keyof typeof KINDS)[]).find((by) => Object.hasOwn(record, by));
  if (!kind) throw noLine(where);
  checkFormat(record.header, where);
  const validate = validator(kind);
  if (validate(record)) return kind === "losses" ? exact(record as unknown as StepRecord) : (record as unknown as Line);
  const { instancePath, message = "is wrong", params } = validate.errors![0]!;
  const what = [instancePath.slice(1).replaceAll("/", "."), message, ...Object.values(params)];
  const text = what.map(quote).filter((part) => part !== "");
  throw new KitError(
    `${where}: ${text.join(" ")}; the file was edited, or written by another version of the kit: take it as it was written.`,
  );
}

const noLine = (where: string): KitError =>
  new KitError(`${where} is no line of a run: the file was cut or edited; take it as it was written.`);

/** The kit's earlier and later versions write other lines. */
function checkFormat(header: unknown, where: string): void {
  const format = isObject(header) ? (header.format ?? 1) : 2;
  if (format === 2) return;
  throw new KitError(
    `${where}: the run is of format ${quote(format)}, and this version of the kit reads format 2: run it again, or use the version that wrote it.`,
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
