import { readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { JoinedCluster } from "../cluster/join.ts";
import type { Port } from "../cluster/port.ts";
import { KitError, NotFinite } from "../error.ts";
import { makeRequest } from "../measure/makeRequest.ts";
import { paperGrid } from "../measure/paper.ts";
import { type Job, makePlan } from "../measure/plan.ts";
import type { MeasureOptions } from "../measure/request.ts";
import { runJob } from "../measure/runJob.ts";
import { readRun } from "../record/read.ts";
import type { Run } from "../record/run.ts";
import { setAside } from "../record/write.ts";
import { percent } from "../report/table.ts";
import type { Progress } from "../tensor/progress.ts";
import { cellSignal, display } from "./display.ts";
import { liveChart } from "./live.ts";
import { isSmoke, RUNS, smokeFolder } from "./runs.ts";

/** Learning rates to try, by method as the paper's tables print it. */
export type RateGrid = Readonly<Record<string, readonly number[]>>;

/** The runs of one method on one task, a seed each, that share a learning rate: none where one of them diverged. */
export interface RateRuns {
  readonly rate: number;
  readonly runs: readonly Run[];
}

/** Runs whose dev scores are equal up to this, as sums in another order are, count as tied. */
const TIE = 1e-9;

/** A learning rate as the paper prints it: "1e-6", "5e-2". */
export const rateText = (rate: number): string => rate.toExponential().replace("e+", "e");

/** Throws a KitError for a name that is no trained method of the paper's tables, and for a rate that is no number above 0. */
export function checkGrid(grid: RateGrid): void {
  const trained = Object.keys({ ...paperGrid("RoBERTa"), ...paperGrid("OPT") });
  for (const [method, rates] of Object.entries(grid)) {
    if (!trained.includes(method))
      throw new KitError(
        `The grid has learning rates for ${method}, but the methods that have one are ${trained.join(", ")}: choose one of these.`,
      );
    const wrong = rates.find((rate) => !(rate > 0 && Number.isFinite(rate)));
    if (wrong !== undefined)
      throw new KitError(
        `The grid of ${method} was to have learning rates, but one is ${wrong}: give numbers above 0.`,
      );
  }
}

/** The jobs with a learning rate, and the rest of their settings as it is. */
export function withRate(jobs: readonly Job[], rate: number): Job[] {
  return jobs.map((job) => ({ ...job, request: { ...job.request, lr: { ...job.request.lr, [job.method]: rate } } }));
}

/** The jobs with a learning rate, their run files in a folder of its own: grid/lr-1e-6 beside where they would be. */
export function inGrid(jobs: readonly Job[], rate: number): Job[] {
  const folder = join("grid", `lr-${rateText(rate)}`);
  return withRate(jobs, rate).map((job) => ({ ...job, file: join(dirname(job.file), folder, basename(job.file)) }));
}

/** The jobs of each method on each task, in their order. */
export function jobsByMethod(jobs: readonly Job[]): Job[][] {
  const groups = new Map<string, Job[]>();
  for (const job of jobs) {
    const name = `${job.task} ${job.method}`;
    groups.set(name, [...(groups.get(name) ?? []), job]);
  }
  return [...groups.values()];
}

/** Mean over the runs of the best score of each on its dev part. Throws a KitError where a run has none. */
export function devScore(runs: readonly Run[]): number {
  const best = runs.map(({ header, scores }) => {
    const dev = scores.filter(({ on }) => on === "dev").map(({ score }) => score);
    if (dev.length > 0) return Math.max(...dev);
    throw new KitError(
      `A learning rate of ${header.method} was to be chosen by dev scores, but its run with seed ${header.seed} has none: leave it out of the grid.`,
    );
  });
  return best.reduce((sum, score) => sum + score, 0) / best.length;
}

/**
 * The runs at the rate with the best `devScore`; of rates that tie, the smallest. Unlike the paper, which does not say how it chose. Throws
 * a KitError where all have diverged.
 */
export function bestOf(tried: readonly RateRuns[]): RateRuns {
  const rising = tried.filter(({ runs }) => runs.length > 0).sort((a, b) => a.rate - b.rate);
  if (rising.length === 0)
    throw new KitError(
      `The best of several learning rates was to be chosen, but training diverged at each (${tried.map(({ rate }) => rateText(rate)).join(", ")}): add smaller ones to the grid.`,
    );
  return rising.reduce((best, next) => (devScore(next.runs) > devScore(best.runs) + TIE ? next : best));
}

/** One line that says what was chosen, and the dev score at each rate: "MeZO on SST-2: learning rate 1e-4 (best on dev: 1e-4 81.2 %, 1e-5 60.0 %)". */
export function choiceText(chosen: RateRuns, tried: readonly RateRuns[]): string {
  const { method, task } = chosen.runs[0]!.header;
  const scores = tried.map(
    ({ rate, runs }) => `${rateText(rate)} ${runs.length > 0 ? `${percent(devScore(runs))} %` : "diverged"}`,
  );
  return `${method} on ${task}: learning rate ${rateText(chosen.rate)} (best on dev: ${scores.join(", ")})`;
}

/** What to measure: the options of `npm start` by the same names and with the same defaults, and rates to try. */
export interface MeasureCellOptions extends Omit<MeasureOptions, "figures" | "smoke" | "resume"> {
  /**
   * Learning rates by method, as the paper's tables print it, in place of `lr`. Of several, each is run, and the runs of the best by dev
   * score are kept. Methods that are not measured may be in it too.
   */
  readonly grid?: RateGrid;
  /** Machines that make the runs, several at once, in place of this one: what `joinCluster` gives. */
  readonly cluster?: Pick<JoinedCluster, "port">;
}

/**
 * Measures methods on a task as `npm start` does, each run in a process of its own, so that its peak memory is its own. Runs that are in the
 * folder with these very settings are read and not repeated, and one that was cut short is resumed. Where the grid has several
 * learning rates for a method, its runs at each are in grid/lr-<rate> below the folder; those of the rate with the best dev score (the mean
 * over the seeds of each run's best) are returned, and one line says which, and at which rates training diverged. Throws a KitError where a
 * run cannot be made, or is there with other settings.
 */
export async function measure(options: MeasureCellOptions, onProgress: Progress = liveChart()): Promise<Run[]> {
  const { out = RUNS, grid = {}, cluster, ...rest } = options;
  checkGrid(grid);
  const places = { out: isSmoke() ? smokeFolder() : out, figures: "../figures/smoke" };
  const request = makeRequest({ ...rest, ...places, resume: !isSmoke() });
  const plan = await makePlan({ ...request, smoke: isSmoke() }, onProgress);
  const making = cluster ? makeIn(cluster.port) : HERE;
  const rates = ({ method }: Job): number[] => [...new Set(grid[method])];
  const runs = await making.each(jobsByMethod(plan.jobs), (jobs) =>
    runRates(making, jobs, rates(jobs[0]!), onProgress),
  );
  return runs.flat();
}

/** Where runs are made. */
interface Making {
  readonly runs: (jobs: readonly Job[], onProgress: Progress) => Promise<Run[]>;
  /** Does something for each of several things: in turn, or for all at once. */
  readonly each: <From, To>(things: readonly From[], make: (thing: From) => Promise<To>) => Promise<To[]>;
}

/** In this process's children, one after the other. */
const HERE: Making = {
  runs: async (jobs, onProgress) => {
    const runs: Run[] = [];
    for (const job of jobs) runs.push(await runJob(job, { onProgress, signal: cellSignal() }));
    return runs;
  },
  each: async (things, make) => {
    const made = [];
    for (const thing of things) made.push(await make(thing));
    return made;
  },
};

/** By a cluster's workers, all at once. */
function makeIn(port: Port): Making {
  return {
    runs: async (jobs, onProgress) => {
      const { runTable } = await import("../measure/clusterTable.ts");
      return runTable(port, jobs, { onProgress, signal: cellSignal() });
    },
    each: async (things, make) => {
      const ended = await Promise.allSettled(things.map(make));
      return ended.map((one) => {
        if (one.status === "rejected") throw one.reason;
        return one.value;
      });
    },
  };
}

/** The runs of one method: at the rate that there is, at the best of several, or at its default. */
async function runRates(
  making: Making,
  jobs: readonly Job[],
  rates: readonly number[],
  onProgress: Progress,
): Promise<readonly Run[]> {
  if (rates.length === 0) return runAll(making, jobs, onProgress);
  if (rates.length === 1) return runAll(making, withRate(jobs, rates[0]!), onProgress);
  const tried = await making.each(rates, async (rate): Promise<RateRuns> => {
    const atRate: Progress = (event) => onProgress({ ...event, label: `${event.label} at ${rateText(rate)}` });
    return { rate, runs: await skipDiverged(runAll(making, inGrid(jobs, rate), atRate)) };
  });
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

async function runAll(making: Making, jobs: readonly Job[], onProgress: Progress): Promise<Run[]> {
  if (isSmoke()) for (const { file } of jobs) setAside(file);
  return making.runs(jobs, onProgress);
}

/** The finished runs of a folder (../data/runs by default) that `isWanted` takes, in the order of their names. */
export function readRuns(isWanted: (header: Run["header"]) => boolean, folder: string = RUNS): Run[] {
  const names = readdirSync(resolve(folder)).filter((name) => name.endsWith(".jsonl"));
  return names
    .sort()
    .map((name) => readRun(join(folder, name)))
    .filter(({ header }) => isWanted(header));
}
