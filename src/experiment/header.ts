import { createRequire } from "node:module";
import * as tf from "@tensorflow/tfjs-core";
import type { LanguageModel } from "../models/network.ts";
import { RUN_FORMAT } from "../record/lines.ts";
import type { RunHeader, RunSettings } from "../record/run.ts";
import type { Task } from "../tasks/task.ts";
import { levelInUse, productsInUse, threadsInUse } from "../tensor/backend.ts";
import type { Tuner } from "../tuners/tuner.ts";
import type { TuneSettings } from "./tuneOptions.ts";

/** The settings of a run of `tune` that its result depends on. */
function recordSettings(settings: TuneSettings): RunSettings {
  const { steps, batchSize, evaluateEvery, chooseBy, begin, microBatchSize, maximize, checkpointing } = settings;
  return {
    ...{ steps, batchSize, evaluateEvery, chooseBy, begin },
    ...(microBatchSize !== undefined && { microBatchSize }),
    ...(maximize && { maximize: maximize.name }),
    ...(checkpointing && { checkpointing }),
  };
}

const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };

/** The version of this kit, as package.json has it. */
export const KIT_VERSION: string = version;

/** What a run depends on, beside the method and its own settings; `model` is absent for methods that use none. */
export interface Setting {
  readonly model?: LanguageModel;
  readonly task: Task;
  readonly seed: number;
}

/** How z is made of its keys: it changes when any bit of any z does. */
export const NOISE_VERSION = "philox4x32-10 box-muller 1";

/** The header of a run that tunes: with all that replaying its steps needs. */
export function tuningHeader(setting: Setting, tuner: Tuner, settings: TuneSettings): RunHeader {
  const { adapter, method, maximize } = settings;
  const name = method ?? (adapter ? `${tuner.name} (${adapter.name})` : tuner.name);
  const passes = maximize ? "sweeps" : (tuner.passes ?? "pair");
  return {
    ...runHeader(setting, name, recordSettings(settings)),
    tuner: { name: tuner.name, options: tuner.options },
    ...(adapter && { adapter: { name: adapter.name, options: adapter.options } }),
    passes,
  };
}

const backendInUse = (): string => tf.engine().backendName ?? "none";

const formedBy = ({ kept }: LanguageModel): Pick<RunHeader, "products" | "processor"> => ({
  products: productsInUse(kept),
  processor: levelInUse(),
});

/** What the bits of a model's losses depend on here, as a header has it. */
export function computedBy(
  model: LanguageModel,
): Pick<RunHeader, "kit" | "backend" | "products" | "processor" | "weights"> {
  return { kit: KIT_VERSION, backend: backendInUse(), ...formedBy(model), ...(model.kept && { weights: model.kept }) };
}

/** The header of a run of a method, by its name in the paper's tables ("MeZO (prefix)"). */
export function runHeader({ model, task, seed }: Setting, method: string, settings: RunSettings): RunHeader {
  return {
    format: RUN_FORMAT,
    kit: KIT_VERSION,
    noise: NOISE_VERSION,
    model: model?.id ?? "none",
    ...(model?.revision !== undefined && { revision: model.revision }),
    weightsHash: model?.weightsHash ?? "none",
    ...(model?.kept !== undefined && { weights: model.kept }),
    ...(model?.untied && { untied: true }),
    backend: backendInUse(),
    threads: threadsInUse(),
    ...(model && formedBy(model)),
    task: task.name,
    data: task.data,
    ...(task.remark !== undefined && { remark: task.remark }),
    split: { train: task.train.length, dev: task.dev.length, test: task.test.length },
    metric: task.metric,
    prompts: model?.prompts ?? "none",
    seed,
    ...(task.splitSeed !== undefined && { splitSeed: task.splitSeed }),
    method,
    settings,
  };
}
