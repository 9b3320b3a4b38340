import { createHash } from "node:crypto";
import { KitError, shorten, showValue } from "../error.ts";
import "../tuners/index.ts"; // defines the tuners that runs name
import { isByEstimate, tunersByEstimate } from "../tuners/define.ts";
import { checkLine, isObject } from "./lines.ts";
import type { Cost, Run, RunHeader, Score, StepRecord, UnfinishedRun } from "./run.ts";

/** What a compact run begins with: its name and version. */
const MAGIC: Buffer = Buffer.from("mezo-run1");
const HASH_BYTES = 8;

/** What a compact run keeps of a run, and of each run before it, beside the estimates. */
interface Chapter {
  readonly header: RunHeader;
  readonly steps: number;
  readonly scores: readonly Score[];
}

/**
 * The run in binary: "mezo-run1", the length of what follows in JSON (uint32, as all numbers little-endian), that JSON (headers, scores, cost,
 * numbers of steps), 4 bytes a step (the estimate along z in float32), and the first 8 bytes of the SHA-256 over all before. With the base
 * model it gives the tuned weights; of the losses their differences alone are left, and of the scores their means. Throws a KitError for a run
 * whose steps have more to them than one estimate.
 */
export function compactRun(run: Run | UnfinishedRun): Uint8Array {
  const all = listChapters(run);
  const wrong = all.find(({ header, steps }) => steps.length > 0 && !isByEstimate(header.tuner?.name));
  if (wrong)
    throw new KitError(
      `A run of ${wrong.header.tuner?.name} was to be made compact, but its steps have more to them than one estimate: only runs of ${tunersByEstimate().join(", ")} can be.`,
    );
  const estimates = all.flatMap(({ steps }) => steps.map(readEstimate));
  const chapters = all.map(
    ({ header, steps, scores }): Chapter => ({ header, steps: steps.length, scores: scores.map(withoutRows) }),
  );
  const text = Buffer.from(JSON.stringify({ chapters, ...("cost" in run && { cost: run.cost }) }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const floats = Buffer.alloc(4 * estimates.length);
  for (const [i, estimate] of estimates.entries()) floats.writeFloatLE(estimate, 4 * i);
  const body = Buffer.concat([MAGIC, length, text, floats]);
  return Buffer.concat([body, hashBody(body)]);
}

const withoutRows = ({ rows: _, ...score }: Score): Score => score;

function readEstimate({ step, projectedGrad }: StepRecord): number {
  if (typeof projectedGrad === "number" && Number.isFinite(projectedGrad)) return projectedGrad;
  throw new KitError(
    `A run was to be made compact, but its step ${step} has no estimate: give the run as it was read or made.`,
  );
}

/** Whether a file is a compact run. */
export function isCompact(bytes: Uint8Array): boolean {
  return MAGIC.equals(bytes.subarray(0, MAGIC.length));
}

/**
 * The run that a compact one holds; the losses of its steps are ± eps times the estimate. Throws a KitError for one that was changed, and
 * where what is inside is not what the run file's schema has.
 */
export function readCompact(bytes: Uint8Array, path = "the compact run"): Run | UnfinishedRun {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const body = all.subarray(0, Math.max(0, all.length - HASH_BYTES));
  if (!isCompact(body) || !hashBody(body).equals(all.subarray(body.length)))
    throw new KitError(`${path}: its bytes do not have the hash at their end: it was cut or changed; write it again.`);
  const { chapters, cost, estimates } = readContents(body, path);
  let step = 0;
  let run: UnfinishedRun | undefined;
  for (const { header, steps: count, scores } of chapters) {
    const steps = Array.from({ length: count }, () => makeStep(step, estimates[step++]!, header));
    const before: UnfinishedRun | undefined = run;
    run = { header, steps, scores, ...(before && { before }) };
  }
  return cost ? { ...run!, cost } : run!;
}

interface Contents {
  readonly chapters: readonly Chapter[];
  readonly cost?: Cost;
  readonly estimates: readonly number[];
}

/** What stands between the name and the hash. Throws a KitError where it does not fit the schema, or together. */
function readContents(body: Buffer, path: string): Contents {
  const wrong = (what: string): KitError =>
    new KitError(`${path}: ${what}: it was not written by this version of the kit; write it again from the run.`);
  const start = MAGIC.length + 4;
  if (body.length < start) throw wrong("it ends before its content");
  const end = start + body.readUInt32LE(MAGIC.length);
  const found = parseObject(body.subarray(start, end));
  if (!found || end > body.length) throw wrong("its content is no JSON");
  const { chapters, cost, ...more } = found;
  if (Object.keys(more).length > 0 || !Array.isArray(chapters) || chapters.length === 0)
    throw wrong("its content is not chapters and a cost");
  const read = chapters.map((each: unknown, i) => readChapter(each, `${path} chapter ${i + 1}`, wrong));
  const taken = read.reduce((sum, { steps }) => sum + steps, 0);
  if (body.length - end !== 4 * taken)
    throw wrong(`its chapters have ${taken} steps, which do not take the ${body.length - end} bytes that are there`);
  if (read.some(({ scores }) => scores.some(({ step }) => step > taken)))
    throw wrong("a score is of a step that is not there");
  const estimates = Array.from({ length: taken }, (_, i) => body.readFloatLE(end + 4 * i));
  if (!estimates.every(Number.isFinite)) throw wrong("one of its estimates is not finite");
  if (cost !== undefined) checkLine({ cost, hash: NO_HASH }, `${path} cost`);
  return { chapters: read, estimates, ...(cost !== undefined && { cost: cost as Cost }) };
}

/** Stands where a line of text has its hash: a compact run has one over all. */
const NO_HASH = "0".repeat(16);

function readChapter(value: unknown, where: string, wrong: (what: string) => KitError): Chapter {
  if (!isObject(value) || !isObject(value.header) || !Array.isArray(value.scores))
    throw wrong("a chapter is not a header, a number of steps and scores");
  const { steps, scores } = value as unknown as Chapter;
  const { header } = checkLine({ header: value.header, hash: NO_HASH }, where) as Pick<Chapter, "header">;
  if (!Number.isSafeInteger(steps) || steps < 0) throw wrong(`a chapter has ${showValue(steps)} steps`);
  for (const score of scores) {
    if (!isObject(score) || !Object.hasOwn(score, "on")) throw wrong("a chapter's score has no part of the data");
    checkLine({ ...score, hash: NO_HASH }, `${where} score`);
  }
  const { name, options } = header.tuner ?? { name: "no tuner", options: {} };
  const eps = Number(options.eps);
  if (steps > 0 && !(isByEstimate(name) && eps > 0 && Number.isFinite(eps)))
    throw wrong(`a chapter has steps of ${shorten(name)} with eps ${showValue(options.eps)}`);
  return { header, steps, scores };
}

function parseObject(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A step whose losses have the difference that gives the estimate. */
function makeStep(step: number, projectedGrad: number, { tuner }: RunHeader): StepRecord {
  const loss = projectedGrad * Number(tuner?.options.eps);
  return { step, losses: [loss, -loss], projectedGrad };
}

function listChapters(run: UnfinishedRun): UnfinishedRun[] {
  return [...(run.before ? listChapters(run.before) : []), run];
}

const hashBody = (body: Uint8Array): Buffer => createHash("sha256").update(body).digest().subarray(0, HASH_BYTES);
