import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseOptions } from "../cli/options.ts";
import { NotFinite } from "../error.ts";
import { type Job, preflight } from "../measure/plan.ts";
import { inOwnProcess } from "../measure/process.ts";
import { readRun } from "../record/read.ts";
import type { Run } from "../record/run.ts";
import { setAside } from "../record/write.ts";
import type { Progress } from "../tensor/progress.ts";
import { cellSignal, display } from "./display.ts";
import {
  bestOf,
  checkGrid,
  choiceText,
  inGrid,
  jobsByMethod,
  type RateGrid,
  type RateRuns,
  rateText,
  withRate,
} from "./grid.ts";
import { liveChart } from "./live.ts";
import { isSmoke, RUNS, smokeFolder } from "./runs.ts";

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
  /**
   * Learning rates by method, as the paper's tables print it, in place of `lr`. Of several, each is run, and the runs of the best by dev
   * score are kept. Methods that are not measured may be in it too.
   */
  readonly grid?: RateGrid;
  readonly eps?: PerMethodSetting;
  readonly schedule?: "constant" | "linear";
  readonly noise?: "gaussian" | "rademacher";
  readonly checkpointing?: boolean;
  readonly chooseBy?: "loss" | "score";
  readonly untied?: boolean;
  readonly weights?: "float32" | "float16" | "bfloat16";
  readonly backend?: string;
  readonly threads?: number;
  /** Folder of the run files, ../data/runs by default. */
  readonly out?: string;
}

/**
 * Measures methods on a task as `npm start` does, each run in a process of its own, so that its peak memory is its own. Runs that are in the
 * folder with these very settings are read and not made again, and one that was cut short is gone on with. Where the grid has several
 * learning rates for a method, its runs at each are in grid/lr-<rate> below the folder; those of the rate with the best dev score (the mean
 * over the seeds of each run's best) are returned, and one line says which, and at which rates training diverged. Throws a KitError where a
 * run cannot be made, or is there with other settings.
 */
export async function measure(options: MeasureOptions, onProgress: Progress = liveChart()): Promise<Run[]> {
  const { out = RUNS, grid = {}, ...rest } = options;
  checkGrid(grid);
  const places = ["--out", isSmoke() ? smokeFolder() : out, "--figures", "../figures/smoke"];
  const asked = parseOptions([...argvOf(rest), ...places, ...(isSmoke() ? [] : ["--resume"])]);
  const plan = await preflight({ ...asked, smoke: isSmoke() }, onProgress);
  const runs: Run[] = [];
  for (const jobs of jobsByMethod(plan.jobs))
    runs.push(...(await atRates(jobs, [...new Set(grid[jobs[0]!.method])], onProgress)));
  return runs;
}

/** The runs of one method: at the rate that there is, at the best of several, or at its default. */
async function atRates(jobs: readonly Job[], rates: readonly number[], onProgress: Progress): Promise<readonly Run[]> {
  if (rates.length === 0) return runsOf(jobs, onProgress);
  if (rates.length === 1) return runsOf(withRate(jobs, rates[0]!), onProgress);
  const tried: RateRuns[] = [];
  for (const rate of rates) {
    const atRate: Progress = (event) => onProgress({ ...event, label: `${event.label} at ${rateText(rate)}` });
    tried.push({ rate, runs: await unlessDiverged(runsOf(inGrid(jobs, rate), atRate)) });
  }
  const best = bestOf(tried);
  display({ "text/plain": choiceText(best, tried) });
  return best.runs;
}

/** Runs, or none where one of them diverged: the grid goes on, and what is finished stays. */
async function unlessDiverged(runs: Promise<Run[]>): Promise<Run[]> {
  try {
    return await runs;
  } catch (error) {
    if (error instanceof NotFinite) return [];
    throw error;
  }
}

async function runsOf(jobs: readonly Job[], onProgress: Progress): Promise<Run[]> {
  const runs: Run[] = [];
  for (const job of jobs) {
    if (isSmoke()) setAside(job.file);
    runs.push(await inOwnProcess(job, { onProgress, signal: cellSignal() }));
  }
  return runs;
}

/** The command line that says the same. */
export function argvOf(options: Omit<MeasureOptions, "out" | "grid">): string[] {
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
