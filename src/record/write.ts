import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, statSync } from "node:fs";
import { KitError } from "../error.ts";
import { isTunerDefined } from "../tuners/define.ts";
import { type Chain, chain } from "./lines.ts";
import { type Lock, lockRun, withLock } from "./lock.ts";
import { openPart, type Part, partOf, unwritable, writing } from "./part.ts";
import { countSteps, type PartResult, readPart, readRun } from "./read.ts";
import type { Cost, Run, RunHeader, RunRecorder, UnfinishedRun } from "./run.ts";

/**
 * A run on its way to a file, which this process alone writes: what has happened is in a file of its name with `.part` behind it, until
 * `finish` gives it its own. Each call throws a KitError where the file cannot be written, where another program has changed it, and for
 * a number that is not finite; what was written by then stays.
 */
export interface RunFile extends RunRecorder {
  finish(cost: Cost): void;
  /** Ends the writing without the run having ended: it can be resumed. A file without a step is removed. Does nothing after `finish`. */
  release(): void;
}

/**
 * A new run's file, JSON Lines as data/schema/run.schema.json has them. When a call returns, the system has the line: a process that is
 * killed loses at most the step in flight. When a score or the end returns, the disk has all lines up to there: a machine that crashes
 * loses at most the steps since the last score, which are repeated when the run is resumed. A finished run of that name stays until
 * this one is finished. Throws a KitError, with nothing changed, where the run is being written already (a lock beside it says so),
 * where an interrupted run has steps there, and where the file cannot be written.
 */
export function createRunFile(path: string): RunFile {
  return withLock(path, (lock) => newFile(path, lock));
}

/** A new run's file, for who has its lock; one that is to be written perhaps takes the lock at its start. Throws as `createRunFile` does. */
export function newFile(path: string, lock?: Lock): RunFile {
  checkName(path);
  checkBegin(path);
  return runFile(path, lock, chain());
}

/** Throws a KitError where an interrupted run has steps there, which are not to be lost. */
export function checkBegin(path: string): void {
  const steps = countSteps(partOf(path));
  if (steps === 0) return;
  const after = steps === undefined ? "" : ` after ${steps} step${steps === 1 ? "" : "s"}`;
  throw new KitError(
    `${partOf(path)}: a run was cut short there${after}: resume it with --resume, or remove or rename that file to start over.`,
  );
}

/** Throws a KitError where a folder has the run's name. */
function checkName(path: string): void {
  const there = writing(path, () => statSync(path, { throwIfNoEntry: false }));
  if (there?.isDirectory()) throw unwritable(path, { code: "EISDIR" });
}

/** A run's file as it is found when the run is resumed: its whole lines, and whether they end with the cost. */
export interface PartBytes {
  readonly bytes: Uint8Array;
  readonly isEnded: boolean;
}

/** The file of an interrupted run: its whole lines stay, and what is behind them goes when the next one is written. */
export function continueFile(path: string, lock: Lock, { bytes, isEnded }: PartBytes): RunFile {
  const part = writing(path, () => openPart(path, bytes.length));
  return runFile(path, lock, chain(createHash("sha256").update(bytes)), { part, isEnded });
}

/** What an interrupted run has written already. */
interface Earlier {
  readonly part: Part;
  readonly isEnded: boolean;
}

function runFile(path: string, taken: Lock | undefined, lines: Chain, earlier?: Earlier): RunFile {
  let lock = taken;
  let part = earlier?.part;
  let hasSteps = earlier !== undefined;
  let isOver = false;
  const release = (): void => {
    if (hasSteps) part?.close();
    else part?.remove();
    part = undefined;
    lock?.release();
    isOver = true;
  };
  /** Whatever fails, nothing more is written: what is there is a run's beginning. */
  const orRelease = (work: (open: Part) => void): void => {
    if (!part) throw notOpen(path);
    try {
      writing(path, () => work(part!), hasSteps ? partOf(path) : undefined);
    } catch (error) {
      release();
      throw error;
    }
  };
  const append = (text: string, isLasting: boolean): void =>
    orRelease((open) => open.append(Buffer.from(text), isLasting));
  return {
    start: (header: RunHeader, before?: UnfinishedRun) => {
      if (part || isOver) throw notOpen(path);
      lock ??= lockRun(path);
      const text = (before ? lines.run(before) : "") + lines.header(header);
      part = writing(path, () => openPart(path, 0));
      append(text, false); // in one go, so that the steps of the run before never stand there without what follows them
    },
    step: (step) => {
      append(lines.step(step), false);
      hasSteps = true;
    },
    score: (score) => append(lines.score(score), true),
    finish: (cost) => {
      if (!earlier?.isEnded) append(lines.cost(cost), true);
      orRelease((open) => open.place(lines.digest()));
      hasSteps = true;
      release();
    },
    release,
  };
}

const notOpen = (path: string): KitError =>
  new KitError(
    `${path}: a run was to be written there, but none is open: begin one with createRunFile and start, or resume one with resumeRun.`,
  );

/**
 * Writes a whole run, steps and scores in the order they were made. Throws a KitError as `createRunFile` does; a finished run of that name
 * is left as it was then, and what could be written of this one is kept under its `.part` name, which a second call continues.
 */
export function writeRun(path: string, run: Run): void {
  const lines = chain();
  const bytes = Buffer.from(lines.run(run) + lines.cost(run.cost));
  withLock(path, (lock) => {
    checkName(path);
    const known = countKnownBytes(bytes, path);
    const part = writing(path, () => openPart(path, known));
    try {
      part.append(bytes.subarray(known), true);
      part.place(lines.digest());
    } catch (error) {
      const isKept = countSteps(partOf(path)) !== 0;
      if (isKept) part.close();
      else part.remove();
      throw unwritable(path, error, isKept ? partOf(path) : undefined);
    }
    lock.release();
  });
}

/** How many of a run's bytes are in its `.part` already. Throws as `checkBegin` where others are there that are not to be lost. */
function countKnownBytes(bytes: Buffer, path: string): number {
  const part = partOf(path);
  const found = writing(path, () => (existsSync(part) ? readFileSync(part) : Buffer.alloc(0)));
  if (found.length <= bytes.length && found.equals(bytes.subarray(0, found.length))) return found.length;
  checkBegin(path);
  return 0;
}

/** Gives a `.part` that has steps another name, for who has the run's lock, and returns it; undefined where it has no step. */
export function renameAside(path: string): string | undefined {
  const part = partOf(path);
  if (countSteps(part) === 0) return undefined;
  let n = 1;
  while (existsSync(`${part}.${n}`)) n++;
  writing(path, () => renameSync(part, `${part}.${n}`));
  return `${part}.${n}`;
}

/** A run that is to be made, and its file, which this process alone writes. */
export interface OpenRun {
  /** Records the run as it happens: `record` of `tune`. */
  readonly file: RunFile;
  /** What there is of the run already: `resume` of `tune`. */
  readonly run?: Run | UnfinishedRun;
  /** Whether the file's last line was cut off in its middle, and is left out of the run. */
  readonly torn: boolean;
  /** The file that keeps steps from which no run can be resumed. */
  readonly aside?: string;
  /** Ends the file with the run that was made, whole where it was not told as it happened; a run that was finished before stays as it is. */
  end(made: Run): void;
}

/** Begins a run. Throws a KitError as `createRunFile` does. */
export function beginRun(path: string): OpenRun {
  return withLock(path, (lock) => openNew(path, lock));
}

/**
 * Resumes the run of a file: an interrupted one (its `.part`), or else a finished one; where there is neither, it is started. Nothing is
 * changed until something new is recorded, so that a run which turns out to have other settings is left as it was. Steps of fine-tuning,
 * whose gradients no file holds, are set aside, and the run starts over. Throws a KitError where the run is being written already, and
 * for a file that is no run.
 */
export function resumeRun(path: string): OpenRun {
  if (!existsSync(partOf(path)) && existsSync(path)) return openNew(path, undefined, readRun(path)); // only read, where that will do
  return withLock(path, (lock) => {
    const left = readPart(partOf(path));
    if (!left) return openNew(path, lock, existsSync(path) ? readRun(path) : undefined);
    if ("cost" in left.run || isTunerDefined(left.run.header.tuner?.name)) return openPartial(path, lock, left);
    const aside = renameAside(path);
    return { ...openNew(path, lock), ...(aside !== undefined && { aside }) };
  });
}

/**
 * Sets the steps of an interrupted run aside, so that it can start over; gives the file that keeps them, where there are any.
 * Throws as `beginRun`.
 */
export function setAside(path: string): string | undefined {
  return withLock(path, (lock) => {
    const aside = renameAside(path);
    lock.release();
    return aside;
  });
}

function openNew(path: string, lock?: Lock, run?: Run): OpenRun {
  const file = newFile(path, lock);
  const end = (made: Run): void => {
    if (made !== run && made.steps.length > 0) file.finish(made.cost);
    file.release();
    if (made !== run && made.steps.length === 0) writeRun(path, made);
  };
  return { file, torn: false, end, ...(run && { run }) };
}

function openPartial(path: string, lock: Lock, { run, bytes, torn }: PartResult): OpenRun {
  const file = continueFile(path, lock, { bytes, isEnded: "cost" in run });
  return { file, run, torn, end: ({ cost }) => file.finish(cost) };
}
