import { basename, dirname, join } from "node:path";
import { KitError } from "../error.ts";
import { paperGrid } from "../measure/paper.ts";
import type { Job } from "../measure/plan.ts";
import type { Run } from "../record/run.ts";
import { percent } from "../report/table.ts";

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
