import { existsSync } from "node:fs";
import { isRetraceable } from "../fromHeader.ts";
import type { Run, UnfinishedRun } from "../run.ts";
import { type Lock, locked } from "./lock.ts";
import { partOf } from "./part.ts";
import { type Left, readLeft, readRun } from "./read.ts";
import { newFile, type RunFile, renameAside, resumedFile, writeRun } from "./write.ts";

/** A run that is to be made, and its file, which this process alone writes. */
export interface OpenRun {
  /** What is to be told of the run as it happens: `record` of `tune`. */
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
  return locked(path, (lock) => begun(path, lock));
}

/**
 * Resumes the run of a file: one that was cut short (its `.part`), or else a finished one; where there is neither, it is begun. Nothing is
 * changed until something new is told, so that a run which turns out to have other settings is left as it was. Steps of fine-tuning,
 * whose gradients no file holds, are set aside, and the run is begun anew. Throws a KitError where the run is being written already, and
 * for a file that is no run.
 */
export function resumeRun(path: string): OpenRun {
  if (!existsSync(partOf(path)) && existsSync(path)) return begun(path, undefined, readRun(path)); // only read, where that will do
  return locked(path, (lock) => {
    const left = readLeft(partOf(path));
    if (!left) return begun(path, lock, existsSync(path) ? readRun(path) : undefined);
    if ("cost" in left.run || isRetraceable(left.run.header)) return resumed(path, lock, left);
    const aside = renameAside(path);
    return { ...begun(path, lock), ...(aside !== undefined && { aside }) };
  });
}

/**
 * Sets the steps aside that a run which was cut short has left, so that it can be begun anew; gives the file that keeps them, where there
 * are any. Throws as `beginRun`.
 */
export function setAside(path: string): string | undefined {
  return locked(path, (lock) => {
    const aside = renameAside(path);
    lock.release();
    return aside;
  });
}

function begun(path: string, lock?: Lock, run?: Run): OpenRun {
  const file = newFile(path, lock);
  const end = (made: Run): void => {
    if (made !== run && made.steps.length > 0) file.finish(made.cost);
    file.release();
    if (made !== run && made.steps.length === 0) writeRun(path, made);
  };
  return { file, torn: false, end, ...(run && { run }) };
}

function resumed(path: string, lock: Lock, { run, bytes, torn }: Left): OpenRun {
  const file = resumedFile(path, lock, { bytes, isEnded: "cost" in run });
  return { file, run, torn, end: ({ cost }) => file.finish(cost) };
}
