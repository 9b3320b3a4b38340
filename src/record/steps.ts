import { KitError } from "../error.ts";
import type { ChooseBy, Score, UnfinishedRun } from "./run.ts";

/** How many steps a run has taken, those of the run that it was forked from among them. */
export function stepsTaken({ steps, before }: UnfinishedRun): number {
  return (before ? stepsTaken(before) : 0) + steps.length;
}

/** The run that a chain of forks began with. */
export function firstOf(run: UnfinishedRun): UnfinishedRun {
  return run.before ? firstOf(run.before) : run;
}

/**
 * The run as it stood after a number of steps, as if it had been stopped there: with its base model that is the whole of the model's
 * weights then. Throws a KitError for a step that the run has not reached.
 */
export function cut(run: UnfinishedRun, step: number): UnfinishedRun {
  const taken = stepsTaken(run);
  if (!(Number.isInteger(step) && step >= 0 && step <= taken))
    throw new KitError(
      `The run was to be cut after ${step} steps, but it has taken ${taken}: choose from 0 to ${taken}.`,
    );
  const first = run.before ? stepsTaken(run.before) : 0;
  if (run.before && step < first) return cut(run.before, step);
  const { header, before } = run;
  const scores = run.scores.filter((score) => score.step <= step);
  return { header, steps: run.steps.slice(0, step - first), scores, ...(before && { before }) };
}

/** The run without its last `k` steps. Throws as `cut` does. */
export function undo(run: UnfinishedRun, k: number): UnfinishedRun {
  return cut(run, stepsTaken(run) - k);
}

const isBetter: Readonly<Record<ChooseBy, (score: Score, best: Score) => boolean>> = {
  loss: (score, best) => score.loss! < best.loss!,
  score: (score, best) => score.score > best.score,
};

/** Whether a dev score is better than all earlier ones; of equal ones the first is the best. */
export function isBest(score: Score, earlier: readonly Score[], by: ChooseBy): boolean {
  return earlier.every((best) => isBetter[by](score, best));
}

/**
 * The number of steps after which the dev part was at its best, by what the run says that it chooses by: the lowest loss, as the authors
 * choose for OPT, or the highest score, as they do for RoBERTa. Throws a KitError for a run without a dev score.
 */
export function bestStep({ header, scores }: UnfinishedRun): number {
  const { chooseBy: by = "loss" } = header.settings;
  const dev = scores.filter(({ on, loss }) => on === "dev" && (by === "score" || loss !== undefined));
  const best = dev.findLast((score, i) => isBest(score, dev.slice(0, i), by));
  if (best) return best.step;
  throw new KitError("The best step of a run was asked for, but it has no dev score: choose a step by its number.");
}
