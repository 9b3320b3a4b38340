import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { NotFinite } from "../error.ts";
import { makeRequest } from "../measure/makeRequest.ts";
import { type Job, makePlan } from "../measure/plan.ts";
import type { MeasureOptions } from "../measure/request.ts";
import { runJob } from "../measure/runJob.ts";
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

/** What to measure: the options of `npm start` by the same names and with the same defaults, and rates to try. */
export interface MeasureCellOptions extends Omit<MeasureOptions, "figures" | "smoke" | "resume"> {
  /**
   * Learning rates by method, as the paper's tables print it, in place of `lr`. Of several, each is run, and the runs of the best by dev
   * score are kept. Methods that are not measured may be in it too.
   */
  readonly grid?: RateGrid;
}

/**
 * Measures methods on a task as `npm start` does, each run in a process of its own, so that its peak memory is its own. Runs that are in the
 * folder with these very settings are read and not repeated, and one that was cut short is resumed. Where the grid has several
 * learning rates for a method, its runs at each are in grid/lr-<rate> below the folder; those of the rate with the best dev score (the mean
 * over the seeds of each run's best) are returned, and one line says which, and at which rates training diverged. Throws a KitError where a
 * run cannot be made, or is there with other settings.
 */
export async function measure(options: MeasureCellOptions, onProgress: Progress = liveChart()): Promise<Run[]> {
  const { out = RUNS, grid = {}, ...rest } = options;
  checkGrid(grid);
  const places = { out: isSmoke() ? smokeFolder() : out, figures: "../figures/smoke" };
  const request = makeRequest({ ...rest, ...places, resume: !isSmoke() });
  const plan = await makePlan({ ...request, smoke: isSmoke() }, onProgress);
  const runs: Run[] = [];
  for (const jobs of jobsByMethod(plan.jobs))
    runs.push(...(await runRates(jobs, [...new Set(grid[jobs[0]!.method])], onProgress)));
  return runs;
}

/** The runs of one method: at the rate that there is, at the best of several, or at its default. */
async function runRates(jobs: readonly Job[], rates: readonly number[], onProgress: Progress): Promise<readonly Run[]> {
  if (rates.length === 0) return runAll(jobs, onProgress);
  if (rates.length === 1) return runAll(withRate(jobs, rates[0]!), onProgress);
  const tried: RateRuns[] = [];
  for (const rate of rates) {
    const atRate: Progress = (event) => onProgress({ ...event, label: `${event.label} at ${rateText(rate)}` });
    tried.push({ rate, runs: await skipDiverged(runAll(inGrid(jobs, rate), atRate)) });
  }
  const best = bestOf(tried);
  display({ "text/plain": choiceText(best, tried) });
  return best.runs;
}

/** Runs, or none where one of them diverged: the other rates are still tried, and what is finished stays. */
async function skipDiverged(runs: Promise<Run[]>): Promise<Run[]> {
  try {
    return await runs;
  } catch (error) {
    if (error instanceof NotFinite) return [];
    throw error;
  }
}

async function runAll(jobs: readonly Job[], onProgress: Progress): Promise<Run[]> {
  const runs: Run[] = [];
  for (const job of jobs) {
    if (isSmoke()) setAside(job.file);
    runs.push(await runJob(job, { onProgress, signal: cellSignal() }));
  }
  return runs;
}

/** The finished runs of a folder (../data/runs by default) that `isWanted` takes, in the order of their names. */
export function readRuns(isWanted: (header: Run["header"]) => boolean, folder: string = RUNS): Run[] {
  const names = readdirSync(resolve(folder)).filter((name) => name.endsWith(".jsonl"));
  return names
    .sort()
    .map((name) => readRun(join(folder, name)))
    .filter(({ header }) => isWanted(header));
}
