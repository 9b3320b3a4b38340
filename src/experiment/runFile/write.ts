import { createHash, type Hash } from "node:crypto";
import { appendFileSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { KitError, NotFinite } from "../../error.ts";
import type { Cost, Run, RunHeader, Score, StepRecord, UnfinishedRun } from "../run.ts";
import type { RunRecorder } from "../tuneOptions.ts";
import { shortest } from "./float32.ts";

/** A run on its way to a file: what has happened is on disk, under a `.part` name until `finish` gives it its own. */
export interface RunFile extends RunRecorder {
  finish(cost: Cost): void;
}

/** Where a run is written while it is unfinished. */
export const partOf = (path: string): string => `${path}.part`;

/** The digits of a run file's hashes. */
export const digits = (hash: Hash): string => hash.digest("hex").slice(0, 16);

/**
 * Starts a run file, JSON Lines as data/schema/run.schema.json has them: each line is on disk when the call returns, so that a process
 * that is killed loses at most the step in flight. Throws a KitError, from whichever call it is, for a number that is not finite and
 * where the file cannot be written.
 */
export function createRunFile(path: string): RunFile {
  return runFile(path, createHash("sha256"), () => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(partOf(path), "");
  });
}

/** Goes on with an unfinished run file whose whole lines are `bytes`; what is behind them is cut off. */
export function continuedRunFile(path: string, bytes: Uint8Array): RunFile {
  writing(path, () => truncateSync(partOf(path), bytes.length));
  return runFile(path, createHash("sha256").update(bytes), () => {});
}

function runFile(path: string, hash: Hash, begin: () => void): RunFile {
  const line = (record: object): void => {
    const text = `${JSON.stringify(record, onlyFinite)}\n`;
    writing(path, () => appendFileSync(partOf(path), text));
    hash.update(text);
  };
  const hashed = (record: object): void => {
    const own = JSON.stringify(record, onlyFinite).slice(0, -1);
    line({ ...record, hash: digits(hash.copy().update(own)) });
  };
  const chapter = ({ header, steps, scores, before }: UnfinishedRun): void => {
    if (before) chapter(before);
    hashed({ header });
    for (const write of inOrder({ step: stepLine, score: hashed }, steps, scores)) write();
  };
  const stepLine = (step: StepRecord): void => line(shortened(step));
  return {
    start: (header: RunHeader, before?: UnfinishedRun) => {
      writing(path, begin);
      if (before) chapter(before);
      hashed({ header });
    },
    step: stepLine,
    score: hashed,
    finish: (cost) => {
      hashed({ cost });
      writing(path, () => renameSync(partOf(path), path));
    },
  };
}

/** Writes a whole run, steps and scores in the order they were made. Throws a KitError as `createRunFile` does, and leaves nothing then. */
export function writeRun(path: string, { header, steps, scores, cost, before }: Run): void {
  const file = createRunFile(path);
  try {
    file.start(header, before);
    for (const write of inOrder(file, steps, scores)) write();
    file.finish(cost);
  } catch (error) {
    discardPart(path);
    throw error;
  }
}

/** What writes each step and score, in the order they were made. */
function inOrder(
  file: Pick<RunRecorder, "step" | "score">,
  steps: readonly StepRecord[],
  scores: readonly Score[],
): (() => void)[] {
  const records = [
    ...steps.map((step) => ({ taken: step.step + 1, write: () => file.step(step) })),
    ...scores.map((score) => ({ taken: score.step, write: () => file.score(score) })),
  ];
  return records.toSorted((a, b) => a.taken - b.taken).map(({ write }) => write);
}

/** The step with its estimates in the fewest digits that tell them. */
function shortened({ projectedGrad, ...step }: StepRecord): StepRecord {
  if (projectedGrad === undefined) return step;
  return {
    ...step,
    projectedGrad: typeof projectedGrad === "number" ? shortest(projectedGrad) : projectedGrad.map(shortest),
  };
}

/** Removes what a run that did not finish has left beside `path`; throws nothing, since another error is under way then. */
export function discardPart(path: string): void {
  try {
    rmSync(partOf(path), { force: true });
  } catch {
    // Where it cannot be removed, its name still says that it is no finished run.
  }
}

/** JSON has no NaN and no Infinity: they would be read back as null. */
function onlyFinite(key: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  throw new NotFinite(`The run's ${key} is ${value}, which a run file cannot hold; try a smaller learning rate.`);
}

function writing(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new KitError(`${path}: a run was to be written there, but it cannot be (${code}); name another folder.`);
  }
}
