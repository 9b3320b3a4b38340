import { join, resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { KitError } from "../error.ts";
import type { Run, RunRecorder, UnfinishedRun } from "../record/run.ts";
import { beginRun, resumeRun, setAside } from "../record/write.ts";

/** Where run files are, seen from a notebook. */
export const RUNS = "../data/runs";

/** Where runs are that a notebook makes by calls of its own, apart from those of `npm start`, with which they are not to be averaged. */
export const NOTEBOOK_RUNS = "../data/runs/notebooks";

/** Whether this is a look at everything in seconds, whose results mean nothing and are kept apart. */
export const isSmoke = (): boolean => process.env.MEZO_SCALE === "smoke";

/** Where smoke runs go: a folder for each notebook, since several run at once (their runner names them in MEZO_NOTEBOOK). */
export const smokeFolder = (): string => join(RUNS, "smoke", process.env.MEZO_NOTEBOOK ?? "");

/** How much a notebook computes: seconds on the samples, minutes on a laptop, or what the paper did. */
export type Scale = "smoke" | "laptop" | "paper";

const SCALES: readonly Scale[] = ["smoke", "laptop", "paper"];

/**
 * The scale that a notebook runs at: `chosen`, where the environment variable MEZO_SCALE names no other. Throws a KitError for
 * any other.
 */
export function scale(chosen: Scale): Scale {
  const name = process.env.MEZO_SCALE ?? chosen;
  if ((SCALES as readonly string[]).includes(name)) return name as Scale;
  throw new KitError(`The scale ${name} was asked for, but there are ${SCALES.join(", ")}: choose one of these.`);
}

/** The settings of a scale, with single ones replaced by the JSON in the environment variable MEZO_SETTINGS. Throws a KitError for anything but JSON. */
export function settingsFor<T extends object>(chosen: Scale, byScale: Readonly<Record<Scale, T>>): T {
  const text = process.env.MEZO_SETTINGS ?? "{}";
  try {
    return { ...byScale[chosen], ...(JSON.parse(text) as Partial<T>) };
  } catch {
    throw new KitError(`MEZO_SETTINGS was to be a JSON object with settings, but is ${text}: correct or unset it.`);
  }
}

/** Where a run is recorded and what it resumes: to be spread into the options of `tune`. */
export interface Recording {
  readonly record: RunRecorder;
  readonly resume?: UnfinishedRun;
}

/**
 * Returns the run that the folder (../data/runs/notebooks by default) has under that name, or makes it with `make`, written down step by step:
 * an interrupted one is resumed. Smoke runs are kept apart and always made. Throws a KitError where the file has a run of other
 * settings, which is left as it is, and where another process is writing it, and what `make` throws.
 */
export async function recorded(
  name: string,
  make: (recording: Recording) => Promise<Run>,
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
