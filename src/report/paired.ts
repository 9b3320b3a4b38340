import { isMarked, listMethods } from "../measure/methods.ts";
import type { Run, RunHeader } from "../record/run.ts";
import { mean, standardErrorOfMean, testScore } from "./summary.ts";
import { percent } from "./table.ts";

/** How far one method's scores are above another's on the same test rows, as shares between 0 and 1. */
export interface PairedDifference {
  readonly difference: number;
  /**
   * Of the difference: over the rows or over the seeds, whichever is larger. That over the rows is as though all seeds had the same ones, which
   * is strict where they have not. Rows that both methods get right, or both wrong, add nothing to it, so that it is smaller than what two
   * independent scores have.
   */
  readonly standardError: number;
}

/**
 * Compares a method's runs with another's row by row, seed by seed; undefined where the other has not all of their seeds, and where a run's
 * file has no scores by row or they are of other rows. Throws a KitError for a run without a test score.
 */
export function pairedDifference(runs: readonly Run[], others: readonly Run[]): PairedDifference | undefined {
  const pairs = runs.map((run) =>
    differences(
      run,
      others.find(({ header }) => header.seed === run.header.seed),
    ),
  );
  if (runs.length === 0 || pairs.includes(undefined)) return undefined;
  const bySeed = pairs as number[][];
  const means = bySeed.map(mean);
  const byRows = Math.sqrt(mean(bySeed.map((rows) => standardErrorOfMean(rows) ** 2)));
  const bySeeds = means.length === 1 ? 0 : standardErrorOfMean(means);
  return { difference: mean(means), standardError: Math.max(byRows, bySeeds) };
}

/** By how much a run's score is above the other's on each test row. */
function differences(run: Run, other: Run | undefined): number[] | undefined {
  if (!other || rowsOf(run.header) !== rowsOf(other.header)) return undefined;
  const [own, theirs] = [testScore(run).rows, testScore(other).rows];
  if (!own || own.length < 2 || own.length !== theirs?.length) return undefined;
  return own.map((score, i) => score - theirs[i]!);
}

/** What says which rows a run was tested on, in which order. */
const rowsOf = ({ task, data, split, seed, splitSeed = seed }: RunHeader): string =>
  JSON.stringify([task, data.sha256, data.rows, split, splitSeed]);

const BASELINE = "Zero-shot";

/** A line for the foot of a table: how far each method is above zero-shot, row by row; none where no runs can be compared so. */
export function pairedLines(runs: readonly Run[]): string[] {
  const of = (method: string): Run[] => runs.filter(({ header }) => header.method === method);
  const told = listMethods(runs).flatMap((method) => {
    const found = isMarked(method) && method !== BASELINE ? pairedDifference(of(method), of(BASELINE)) : undefined;
    return found ? [`${method} ${percent(found.difference).replace("-", "−")} ± ${percent(found.standardError)}`] : [];
  });
  return told.length === 0
    ? []
    : [`Points above ${BASELINE} on the same rows, ± paired standard error: ${told.join(", ")}.`];
}
