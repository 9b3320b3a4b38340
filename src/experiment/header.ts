import { createRequire } from "node:module";
import * as tf from "@tensorflow/tfjs";
import type { LanguageModel } from "../models/network.ts";
import type { RunHeader } from "../record/run.ts";
import type { Task } from "../tasks/task.ts";
import { threadCount } from "../tensor/native/session.ts";
import { canPair } from "../tensor/pair.ts";
import type { Tuner } from "../tuners/tuner.ts";
import type { TuneSettings } from "./tuneOptions.ts";

/** All settings that the result depends on, for the header: the tuner's, the adapter's under its name, and the run's own. */
export function pinned(tuner: Tuner, settings: TuneSettings): RunHeader["options"] {
  const { adapter, steps, batchSize, evaluateEvery, chooseBy, begin, microBatchSize, maximize, checkpointing } =
    settings;
  const named = Object.entries(adapter?.options ?? {}).map(([name, value]) => [`${adapter!.name}.${name}`, value]);
  return {
    ...tuner.options,
    ...Object.fromEntries(named),
    ...{ steps, batchSize, evaluateEvery, begin },
    ...(chooseBy !== "loss" && { chooseBy }),
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

/** The version of the run file's lines. */
export const RUN_FORMAT = 2;

/** The header of a run that tunes: with all that its steps need to be made again. */
export function tuningHeader(setting: Setting, tuner: Tuner, settings: TuneSettings): RunHeader {
  const { adapter, method, maximize } = settings;
  const name = method ?? (adapter ? `${tuner.name} (${adapter.name})` : tuner.name);
  const passes = canPair() && !maximize ? "pair" : "sweeps";
  const trains = { tuner: tuner.name, ...(adapter && { adapter: adapter.name }), passes } as const;
  return { ...runHeader(setting, name, pinned(tuner, settings)), ...trains };
}

/** The header of a run of a method, by its name in the paper's tables ("MeZO (prefix)"). */
export function runHeader({ model, task, seed }: Setting, method: string, options: RunHeader["options"]): RunHeader {
  return {
    format: RUN_FORMAT,
    kit: KIT_VERSION,
    noise: NOISE_VERSION,
    model: model?.id ?? "none",
    ...(model?.revision !== undefined && { revision: model.revision }),
    weightsHash: model?.weightsHash ?? "none",
    ...(model?.kept !== undefined && { weights: model.kept }),
    ...(model?.untied && { untied: true }),
    backend: tf.engine().backendName ?? "none",
    threads: threadCount(),
    task: task.name,
    data: task.data,
    ...(task.remark !== undefined && { remark: task.remark }),
    ...(task.dropped && { dropped: task.dropped }),
    split: { train: task.train.length, dev: task.dev.length, test: task.test.length },
    metric: task.metric,
    prompts: model?.prompts ?? "none",
    seed,
    method,
    ...{ tuner: "none", passes: "none" },
    options,
  };
}
