import { createHash, type Hash } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, readSync } from "node:fs";
import { KitError, showValue } from "../error.ts";
import "../tuners/index.ts"; // defines the tuners that runs name
import { isByEstimate } from "../tuners/define.ts";
import { isCompact, readCompact } from "./compact.ts";
import { digits, type Line, parseLine } from "./lines.ts";
import type { Cost, Run, RunHeader, Score, StepRecord, UnfinishedRun } from "./run.ts";
import { stepsTaken } from "./steps.ts";

/** A run as a file has it. */
export interface ReadResult {
  readonly run: Run | UnfinishedRun;
  /** Whether the last line was cut off in its middle, and is left out. */
  readonly torn: boolean;
}

/** Reads a finished run, in either form. Throws a KitError for any other file, with the line that is wrong. */
export function readRun(path: string): Run {
  const { run, torn } = readUnfinished(path);
  if ("cost" in run && !torn) return run;
  throw new KitError(`${path} is not a finished run: its last line must hold the cost; --resume continues it.`);
}

/** Reads a run, finished or not, in either form. Throws a KitError for any other file, with the line that is wrong. */
export function readUnfinished(path: string): ReadResult {
  const bytes = readBytes(path);
  return isCompact(bytes) ? { run: readCompact(bytes, path), torn: false } : readLines(bytes, path);
}

/** The part file of an interrupted run: the run as far as whole lines tell it, and the bytes of these lines. */
export interface PartResult extends ReadResult {
  readonly bytes: Uint8Array;
}

/** Reads the part file of an interrupted run; undefined where it is missing or has no step. Throws a KitError as `readRun` does. */
export function readPart(part: string): PartResult | undefined {
  if (!existsSync(part)) return undefined;
  const all = readBytes(part);
  const bytes = all.subarray(0, all.lastIndexOf("\n") + 1);
  if (bytes.length === 0) return undefined;
  const { run } = readLines(bytes, part);
  return run.steps.length > 0 ? { run, bytes, torn: bytes.length < all.length } : undefined;
}

/** How many steps a part file has; undefined where they cannot be read. */
export function countSteps(part: string): number | undefined {
  try {
    const left = readPart(part);
    return left ? stepsTaken(left.run) : 0;
  } catch {
    return undefined;
  }
}

/** The header on a file's first line, whatever follows; undefined where it cannot be read. */
export function readHeader(path: string): RunHeader | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const bytes = Buffer.alloc(MOST_HEADER_BYTES);
    const read = bytes.subarray(0, readSync(file, bytes));
    const line = parseLine(read.subarray(0, read.indexOf(10)), path);
    return "header" in line ? line.header : undefined;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** More than a header has, a probe's rows included. */
const MOST_HEADER_BYTES = 2 ** 20;

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new KitError(`${path}: a run was to be read there, but it cannot be (${code}); name a file of one.`);
  }
}

/** A run in the making of its lines. */
interface Growing {
  run: UnfinishedRun & { readonly steps: StepRecord[]; readonly scores: Score[] };
  cost?: Cost;
}

function readLines(bytes: Buffer, path: string): ReadResult {
  const reader = lineReader(path);
  let from = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
    reader.read(bytes.subarray(from, end + 1));
    from = end + 1;
  }
  const run = reader.run();
  if (!run) throw new KitError(`${path} is no run: its first line must hold the header; name a file of one.`);
  return { run, torn: from < bytes.length };
}

/** Reads a run's lines as they come. */
export interface LineReader {
  /** Reads the next line, with its line break. Throws a KitError, by its number, for one that does not belong behind those before it. */
  read(line: Buffer): Line;
  /** The run as far as its lines tell it; undefined before the first. */
  run(): Run | UnfinishedRun | undefined;
}

/** Reads lines of a run from its first; `path` says in errors where they are from. */
export function lineReader(path: string): LineReader {
  const hash = createHash("sha256");
  let growing: Growing | undefined;
  let number = 0;
  return {
    read: (line) => {
      const where = `${path} line ${++number}`;
      const record = parseLine(line, where);
      growing = addLine(growing, record, where);
      checkHash(record, line, hash, where);
      return record;
    },
    run: () => growing && (growing.cost ? { ...growing.run, cost: growing.cost } : growing.run),
  };
}

/** A line's hash is that of the file up to the hash itself. */
function checkHash(record: Line, line: Buffer, hash: Hash, where: string): void {
  if ("hash" in record) {
    const own = line.subarray(0, line.lastIndexOf(',"hash":'));
    if (digits(hash.copy().update(own)) !== record.hash)
      throw new KitError(
        `${where}: the lines up to here do not have the hash ${record.hash} that it says: the file was edited; take it as it was written.`,
      );
  }
  hash.update(line);
}

function addLine(growing: Growing | undefined, record: Line, where: string): Growing {
  const wrong = (what: string): KitError =>
    new KitError(`${where} ${what}: the file was cut or edited; take it as it was written.`);
  if (growing?.cost) throw wrong("stands behind the cost, which is the last one");
  if ("header" in record) {
    const before = growing?.run;
    return { run: { header: record.header, steps: [], scores: [], ...(before && { before }) } };
  }
  if (!growing) throw wrong("is the first one, but holds no header");
  const taken = stepsTaken(growing.run);
  if ("cost" in record) return { ...growing, cost: record.cost };
  const expected = record.step === taken;
  if (!expected) throw wrong(`is of step ${record.step} where ${taken} is due`);
  if ("losses" in record) growing.run.steps.push(checkStep(record, growing.run, wrong));
  else growing.run.scores.push(withoutHash(record));
  return growing;
}

function withoutHash({ hash: _, ...score }: Score & { readonly hash: string }): Score {
  return score;
}

function checkStep(record: StepRecord, { header }: UnfinishedRun, wrong: (what: string) => KitError): StepRecord {
  if (!isByEstimate(header.tuner?.name)) return record;
  const [plus = Number.NaN, minus = Number.NaN, ...more] = record.losses;
  const grad = Math.fround((plus - minus) / (2 * Number(header.tuner?.options.eps)));
  if (more.length === 0 && grad === record.projectedGrad) return record;
  throw wrong(`has losses from which ${showValue(record.projectedGrad)} does not follow`);
}
