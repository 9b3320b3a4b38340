import type { Run } from "../record/run.ts";
import { stepsTaken } from "../record/steps.ts";

/** A run whose dev loss was, at every look, larger than before training. */
interface RisenLoss {
  readonly run: Run;
  readonly start: Start;
  readonly lowest: number;
}

/** The loss before training: of the dev part where that was scored then, else of the first batch. */
interface Start {
  readonly loss: number;
  readonly of: "dev" | "first batch";
}

const RISEN = "The dev loss rose in training and never fell below its start";

/**
 * What the dev loss before training is at most, by the loss of the first batch: that is of a few rows, which a model may answer by chance
 * with any small loss. In data/runs, where no run diverged, dev losses are up to 1.4 times a first batch's loss, and 3.4 times that of a
 * lucky one of 0.17; runs that diverge pass any such bar.
 */
const mostOf = (loss: number): number => 2 * Math.max(loss, 1);

/** A line for the foot of a table that names the runs whose dev loss rose and never fell below its start; none where there are no such runs. */
export function risenLossLines(runs: readonly Run[]): string[] {
  const named = [...risenByMethod(runs)].map(([method, risen]) => `${method} (${risen.map(lossText).join("; ")})`);
  if (named.length === 0) return [];
  return [`${RISEN}: ${named.join(", ")}. A smaller learning rate may help: npx mezo doctor suggests one.`];
}

/** The same for a picture, where the methods must do; undefined where there are no such runs. */
export function risenLossNote(runs: readonly Run[]): string | undefined {
  const methods = [...risenByMethod(runs).keys()];
  return methods.length > 0 ? `${RISEN}: ${methods.join(", ")}.` : undefined;
}

/** By method, and task where there are several. */
function risenByMethod(runs: readonly Run[]): Map<string, RisenLoss[]> {
  const severalTasks = new Set(runs.map(({ header }) => header.task)).size > 1;
  const found = new Map<string, RisenLoss[]>();
  for (const risen of runs.flatMap((run) => risenLoss(run) ?? [])) {
    const { method, task } = risen.run.header;
    const name = severalTasks ? `${method} on ${task}` : method;
    found.set(name, [...(found.get(name) ?? []), risen]);
  }
  return found;
}

/** "seed 1: from 0.69 in its first batch to 8.1e14 at best". */
function lossText({ run, start, lowest }: RisenLoss): string {
  const where = start.of === "dev" ? "" : " in the first batch";
  return `seed ${run.header.seed}: from ${number(start.loss)}${where} to ${number(lowest)} at best`;
}

const number = (value: number): string =>
  value < 1e4 ? String(Number(value.toPrecision(3))) : value.toExponential(1).replace("e+", "e");

function risenLoss(run: Run): RisenLoss | undefined {
  const first = run.before ? stepsTaken(run.before) : 0;
  const looks = run.scores.flatMap(({ on, step, loss }) =>
    on === "dev" && step > first && loss !== undefined ? [loss] : [],
  );
  const start = findStart(run, first);
  if (!start || looks.length === 0) return undefined;
  const lowest = Math.min(...looks);
  const bar = start.of === "dev" ? start.loss : mostOf(start.loss);
  return lowest > bar ? { run, start, lowest } : undefined;
}

/** Unknown where the steps' numbers are no losses. */
function findStart({ header, steps, scores }: Run, first: number): Start | undefined {
  const dev = scores.find(({ on, step, loss }) => on === "dev" && step === first && loss !== undefined);
  if (dev) return { loss: dev.loss!, of: "dev" };
  if (steps.length === 0 || header.settings.maximize !== undefined) return undefined;
  const [step] = steps;
  const losses = header.tuner?.name === "forward-gradient" ? step!.losses.slice(0, 1) : step!.losses; // its derivative comes second
  return { loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length, of: "first batch" };
}
