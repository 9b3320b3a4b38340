import { type Adapter, adapterNamed } from "../adapters/adapter.ts";
import { tunerNamed } from "../tuners/define.ts";
import type { Tuner } from "../tuners/tuner.ts";
import type { RunHeader } from "./run.ts";

/** Settings of a run that are neither its tuner's nor its adapter's, by the names that its header has. */
export const RUN_SETTINGS: ReadonlySet<string> = new Set([
  ...["steps", "batchSize", "evaluateEvery", "chooseBy", "begin"],
  ...["microBatchSize", "maximize", "checkpointing"],
]);

/** The tuner of a run, from its header. Throws a KitError for one that is not defined, such as FT. */
export function tunerOf({ tuner, adapter, options }: RunHeader): Tuner {
  const own = Object.entries(options).filter(([name]) => !RUN_SETTINGS.has(name) && !name.startsWith(`${adapter}.`));
  return tunerNamed(tuner, Object.fromEntries(own));
}

/** The adapter of a run, from its header, where it has one. Throws a KitError for one that is not defined. */
export function adapterOf({ adapter, options }: RunHeader): Adapter | undefined {
  if (adapter === undefined) return undefined;
  const own = Object.entries(options).filter(([name]) => name.startsWith(`${adapter}.`));
  return adapterNamed(adapter, Object.fromEntries(own.map(([name, value]) => [name.slice(adapter.length + 1), value])));
}
