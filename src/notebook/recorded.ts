import { resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { stepsTaken } from "../experiment/cut.ts";
import { isRetraceable } from "../experiment/fromHeader.ts";
import type { Run, UnfinishedRun } from "../experiment/run.ts";
import { earlierRun } from "../experiment/runFile/read.ts";
import { createRunFile, writeRun } from "../experiment/runFile/write.ts";
import type { RunRecorder } from "../experiment/tuneOptions.ts";
import { isSmoke, NOTEBOOK_RUNS, smokeFolder } from "./places.ts";

/** What a run is given to go on from: to be spread into the options of `tune`. */
export interface Past {
  readonly record: RunRecorder;
  readonly resume?: UnfinishedRun;
}

/**
 * Returns the run that the folder (../data/runs/notebooks by default) has under that name, or makes it with `make`, written down step by step:
 * one that was cut short is gone on with. Smoke runs are kept apart and always made. Throws a KitError where the file has a run of other settings, and what `make` throws.
 */
export async function recorded(
  name: string,
  make: (past: Past) => Promise<Run>,
  folder: string = NOTEBOOK_RUNS,
): Promise<Run> {
  await setImmediate(); // ends the cell's synchronous part, in which Interrupt would leave the file open
  const path = resolve(isSmoke() ? smokeFolder() : folder, `${name}.jsonl`);
  const { run: resume, file: begun } = (!isSmoke() && earlierRun(path)) || {};
  const goesOn = resume && (!begun || (stepsTaken(resume) > 0 && isRetraceable(resume.header)));
  const file = (goesOn && begun) || createRunFile(path);
  const run = await make({ record: file, ...(goesOn && { resume }) });
  if (run === resume) return run;
  if (run.steps.length > 0) file.finish(run.cost);
  else writeRun(path, run);
  return run;
}
