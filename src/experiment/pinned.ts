import type { Tuner } from "../tuners/tuner.ts";
import type { RunHeader } from "./run.ts";
import type { TuneSettings } from "./tuneOptions.ts";

/** Settings of a run that are neither its tuner's nor its adapter's, by the names that its header has. */
export const RUN_SETTINGS: ReadonlySet<string> = new Set([
  ...["steps", "batchSize", "evaluateEvery", "chooseBy", "begin"],
  ...["microBatchSize", "maximize", "checkpointing"],
]);

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
