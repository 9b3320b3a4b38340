import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { cellSignal } from "../cli/notebooks/cellSignal.ts";
import { parseOptions } from "../cli/options.ts";
import { inOwnProcess } from "../cli/ownProcess.ts";
import { preflight } from "../cli/preflight.ts";
import type { Run } from "../experiment/run.ts";
import { readRun } from "../experiment/runFile/read.ts";
import type { Progress } from "../tensor/progress.ts";
import { isSmoke, RUNS, smokeFolder } from "./places.ts";
import { liveProgress } from "./progress.ts";

/** A setting of a training method: one for all, or one for each method that is named as on the command line: { mezo: 1e-4 }. */
export type PerMethodSetting = number | Readonly<Record<string, number>>;

/** What to measure; the settings of `npm start`, by the same names and with the same defaults. */
export interface MeasureOptions {
  readonly model?: string;
  readonly task?: string;
  readonly data?: string;
  /** As the paper's tables print them; all where none is named. */
  readonly methods?: readonly string[];
  readonly seeds?: readonly number[];
  readonly train?: number;
  readonly dev?: number;
  readonly test?: number;
  readonly k?: number;
  readonly shots?: number;
  readonly demonstrations?: "fresh" | "fixed";
  readonly steps?: PerMethodSetting;
  readonly batchSize?: PerMethodSetting;
  readonly lr?: PerMethodSetting;
  readonly eps?: PerMethodSetting;
  readonly schedule?: "constant" | "linear";
  readonly noise?: "gaussian" | "rademacher";
  readonly checkpointing?: boolean;
  readonly weights?: "float32" | "float16" | "bfloat16";
  readonly backend?: string;
  readonly threads?: number;
  /** Folder of the run files, ../data/runs by default. */
  readonly out?: string;
}

/**
 * Measures methods on a task as `npm start` does, each run in a process of its own, so that its peak memory is its own. Runs that are in the
 * folder with these very settings are read and not made again, and one that was cut short is gone on with. Throws a KitError where
 * a run cannot be made, or is there with other settings.
 */
export async function measure(options: MeasureOptions, onProgress: Progress = liveProgress()): Promise<Run[]> {
  const { out = RUNS, ...rest } = options;
  const places = ["--out", isSmoke() ? smokeFolder() : out, "--figures", "../figures/smoke"];
  const plan = await preflight(
    parseOptions([...argvOf(rest), ...places, ...(isSmoke() ? [] : ["--resume"])]),
    onProgress,
  );
  const runs: Run[] = [];
  for (const job of plan.jobs) runs.push(await inOwnProcess(job, { onProgress, signal: cellSignal() }));
  return runs;
}

/** The command line that says the same. */
export function argvOf(options: Omit<MeasureOptions, "out">): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    const flag = `--${(name === "methods" ? "method" : name).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (value === undefined || value === false) return [];
    return value === true ? [flag] : [flag, textOf(value)];
  });
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.join(",");
  if (typeof value !== "object") return String(value);
  return Object.entries(value as object)
    .map(([method, one]) => `${method}=${one}`)
    .join(",");
}

/** The finished runs of a folder (../data/runs by default) that `isWanted` takes, in the order of their names. */
export function readRuns(isWanted: (header: Run["header"]) => boolean, folder: string = RUNS): Run[] {
  const names = readdirSync(resolve(folder)).filter((name) => name.endsWith(".jsonl"));
  return names
    .sort()
    .map((name) => readRun(join(folder, name)))
    .filter(({ header }) => isWanted(header));
}
