import type { Port } from "../../src/cluster/port.ts";
import { work } from "../../src/cluster/worker.ts";
import type { KitError } from "../../src/error.ts";
import { tune } from "../../src/experiment/tune.ts";
import type { TuneOptions } from "../../src/experiment/tuneOptions.ts";
import { loadModel } from "../../src/models/load.ts";
import { hashTheta } from "../../src/record/observe.ts";
import type { Run } from "../../src/record/run.ts";
import { loadTask } from "../../src/tasks/load.ts";
import type { Tuner } from "../../src/tuners/tuner.ts";
import { tinyData, tinyModel } from "../tiny.ts";

/** The tiny model that coordinators and workers have. */
export const folder: string = tinyModel();
const task = await loadTask("SST-2", { data: tinyData(), train: 22, dev: 12, test: 12, seed: 1 });
/** Settings of all runs. */
export const base: TuneOptions = { steps: 6, batchSize: 8, evaluateEvery: 3, seed: 5 };

/** What a run is apart from what it cost, with the hash of the weights that it ended with. */
export async function tuned(
  tuner: Tuner,
  options: Partial<TuneOptions>,
): Promise<{ run: Omit<Run, "cost">; theta: string }> {
  const model = await loadModel(folder);
  let theta = "";
  const onAdapted: TuneOptions["onAdapted"] = async ({ parameters }) => {
    theta = await hashTheta(parameters);
  };
  try {
    const all = { ...base, ...options, keepWeights: true, onAdapted };
    const { cost: _, ...run } = await tune(model, task, tuner, all);
    return { run, theta: theta || (await hashTheta(model.parameters)) };
  } finally {
    model.dispose();
  }
}

/** Does something while workers, each with a model of its own, are at work. */
export async function during<T>(ports: readonly Port[], body: () => Promise<T>, refused: KitError[] = []): Promise<T> {
  const over = new AbortController();
  const working = ports.map(async (port) => {
    const model = await loadModel(folder);
    await work(model, port, { signal: over.signal, onRefused: (why) => refused.push(why) });
    model.dispose();
  });
  try {
    return await Promise.race([body(), Promise.all(working).then(() => new Promise<never>(() => {}))]);
  } finally {
    over.abort();
    await Promise.all(working);
  }
}
