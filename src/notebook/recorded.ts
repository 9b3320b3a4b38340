import { resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Run, UnfinishedRun } from "../experiment/run.ts";
import { beginRun, resumeRun, setAside } from "../experiment/runFile/resume.ts";
import type { RunRecorder } from "../experiment/tuneOptions.ts";
import { isSmoke, NOTEBOOK_RUNS, smokeFolder } from "./places.ts";

/** What a run is given to go on from: to be spread into the options of `tune`. */
export interface Past {
  readonly record: RunRecorder;
  readonly resume?: UnfinishedRun;
}

/**
 * Returns the run that the folder (../data/runs/notebooks by default) has under that name, or makes it with `make`, written down step by step:
 * one that was cut short is gone on with. Smoke runs are kept apart and always made. Throws a KitError where the file has a run of other
 * settings, which is left as it is, and where another process is writing it, and what `make` throws.
 */
export async function recorded(
  name: string,
  make: (past: Past) => Promise<Run>,
  folder: string = NOTEBOOK_RUNS,
): Promise<Run> {
  await setImmediate(); // ends the cell's synchronous part, in which Interrupt would leave the run locked
  const path = resolve(isSmoke() ? smokeFolder() : folder, `${name}.jsonl`);
  if (isSmoke()) setAside(path);
  const { file, run: resume, end } = isSmoke() ? beginRun(path) : resumeRun(path);
  try {
    const run = await make({ record: file, ...(resume && { resume }) });
    end(run);
    return run;
  } finally {
    file.release();
  }
}
