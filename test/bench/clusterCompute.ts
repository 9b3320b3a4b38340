import { tune } from "../../src/experiment/tune.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import type { Task } from "../../src/tasks/task.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { fitLine, type Rates, type TrainedModel } from "./clusterScaleModel.ts";

/** What a worker's part of a step takes on this machine, of one thread: CPU seconds, which hold on a machine that others use. */
export interface ComputePoints {
  /** The fastest step of one process, by the rows of its batch. */
  readonly steps: readonly { readonly rows: number; readonly seconds: number }[];
  /** The fastest move of all weights by a line along one z. */
  readonly moveSeconds: number;
}

/** Measures steps of some numbers of rows in turn, and moves. */
export async function measureCompute(model: LanguageModel, task: Task, rounds: number): Promise<ComputePoints> {
  const numbers = [8, 4, 2];
  const seconds = new Map(numbers.map((rows) => [rows, Number.POSITIVE_INFINITY]));
  let moveSeconds = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    for (const rows of numbers)
      seconds.set(rows, Math.min(seconds.get(rows)!, ...(await timeSteps(model, task, rows))));
    moveSeconds = Math.min(moveSeconds, await timeMove(model, round));
  }
  return { steps: numbers.map((rows) => ({ rows, seconds: seconds.get(rows)! })), moveSeconds };
}

/** The CPU seconds of steps, the first of which is left out. */
async function timeSteps(model: LanguageModel, task: Task, rows: number): Promise<number[]> {
  const ends: number[] = [];
  const record = { start: () => {}, step: () => void ends.push(cpuSeconds()), score: () => {} };
  await tune(model, task, mezo({ lr: 1e-7 }), { steps: 2, batchSize: rows, evaluateEvery: 2, record });
  return ends.slice(1).map((end, i) => end - ends[i]!);
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** The CPU seconds of a step whose losses are known: the weights are moved. */
async function timeMove(model: LanguageModel, step: number): Promise<number> {
  const training = mezo({ lr: 1e-7 }).begin(model.parameters);
  const pair = (): { lossPlus: number; lossMinus: number } => ({ lossPlus: 1.001, lossMinus: 1 });
  const started = cpuSeconds();
  await training.step({ value: () => 1, pair }, { seed: 7, step, total: 100 });
  const taken = cpuSeconds() - started;
  training.dispose();
  model.restore();
  return taken;
}

/**
 * The rates of a worker by which a model of any size is computed, from what one took. A step without rows takes a pass's z and a move; where
 * noise leaves less of it than a move takes, the z is taken for a tenth of one.
 */
export function ratesOf({ steps, moveSeconds }: ComputePoints, { weights, rowFlops }: TrainedModel): Rates {
  const { start, slope } = fitLine(steps.map(({ rows, seconds }) => [rows, seconds]));
  return {
    flopsPerSecond: (2 * rowFlops) / slope,
    lookedPerSecond: weights / Math.max(start - moveSeconds, 0.1 * moveSeconds),
    movedPerSecond: weights / moveSeconds,
  };
}
