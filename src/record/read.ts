import { closeSync, existsSync, openSync, readFileSync, readSync } from "node:fs";
import { KitError } from "../error.ts";
import "../tuners/index.ts"; // defines the tuners that runs name
import { isCompact, readCompact } from "./compact.ts";
import { lineReader } from "./lineReader.ts";
import { parseLine } from "./lines.ts";
import type { Run, RunHeader, UnfinishedRun } from "./run.ts";
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
