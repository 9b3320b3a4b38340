import { readTensor, type SafetensorsFile } from "../checkpoints/safetensors.ts";
import type { NamedTensor } from "../checkpoints/write.ts";
import { KitError, listed } from "../error.ts";
import type { AdaptableNetwork, Adapted, Adapter } from "./adapter.ts";

/** The fields of adapter_config.json, by their names there. */
export type PeftConfig = Readonly<Record<string, unknown>>;

/** How one kind of adapter lies in a folder of Python's PEFT. */
export interface PeftLayout {
  /** What the configuration calls it. */
  readonly type: string;
  /** What the configuration says beside the type and the base model: for which task the model is made, and the sizes. */
  config(adapted: Adapted, network: AdaptableNetwork): PeftConfig;
  tensors(adapted: Adapted): Promise<NamedTensor[]>;
  /** The adapter's settings; throws a KitError for a configuration that cannot be followed. */
  options(path: string, config: PeftConfig): Adapter["options"];
  /** The weights; throws a KitError that names every missing, misshapen and unknown tensor. */
  read(file: SafetensorsFile, config: PeftConfig, network: AdaptableNetwork): Adapted;
}

/** The values of exactly these tensors; throws a KitError, nothing read, that names those that are missing, misshapen and unknown. */
export function readExactly(
  file: SafetensorsFile,
  shapes: ReadonlyMap<string, readonly number[]>,
): (name: string) => Float32Array {
  const found = new Map([...file.tensors].map(([name, { shape }]) => [name, shape]));
  const faults = {
    missing: [...shapes.keys()].filter((name) => !found.has(name)),
    misshapen: [...shapes].flatMap(([name, shape]) => {
      const is = found.get(name);
      return is && is.join() !== shape.join() ? [`${name} is [${is}] instead of [${shape}]`] : [];
    }),
    unknown: [...found.keys()].filter((name) => !shapes.has(name)),
  };
  const parts = Object.entries(faults).flatMap(([kind, names]) =>
    names.length > 0 ? [`${names.length} ${kind} (${listed(names)})`] : [],
  );
  if (parts.length > 0)
    throw new KitError(
      `${file.path}: the adapter's tensors do not fit the model: ${parts.join("; ")}; load it with the model that it was made for.`,
    );
  return (name) => readTensor(file, name);
}

/** A whole number from 1 on that a configuration must have. */
export function readCount(path: string, config: Readonly<Record<string, unknown>>, field: string): number {
  const value = config[field];
  if (!(Number.isInteger(value) && (value as number) >= 1))
    throw new KitError(
      `${path}: ${field} is ${shown(value)} where a whole number from 1 on belongs; save the adapter again.`,
    );
  return value as number;
}

/** A configuration's value as errors quote it: the beginning, where it is long. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "absent";
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
