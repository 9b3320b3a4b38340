import * as tf from "@tensorflow/tfjs-core";
import type { StoredTensor } from "../checkpoints/safetensors.ts";
import type { NamedTensor } from "../checkpoints/write.ts";
import { KitError, listNames, showValue } from "../error.ts";
import type { AdaptableNetwork, Adapted, Adapter } from "./adapter.ts";

/** The fields of adapter_config.json, by their names there. */
export type PeftConfig = Readonly<Record<string, unknown>>;

/** The weight file of an adapter, of which no value has been read. */
export interface AdapterFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** How one kind of adapter is stored in a folder of Python's PEFT. */
export interface PeftLayout {
  /** Its name in the configuration. */
  readonly type: string;
  /** The configuration beside type and base model: the kind of task, and sizes. */
  config(adapted: Adapted, network: AdaptableNetwork): PeftConfig;
  tensors(adapted: Adapted): Promise<NamedTensor[]>;
  /** The adapter's settings; throws a KitError for a configuration that cannot be used. */
  options(path: string, config: PeftConfig): Adapter["options"];
  /** The weights; throws a KitError that names every missing, misshapen and unknown tensor. */
  read(file: AdapterFile, config: PeftConfig, network: AdaptableNetwork): Adapted;
}

/** A reader of exactly these tensors. Before reading any, throws a KitError that names all missing, misshapen and unknown ones. */
export function readExactly(
  file: AdapterFile,
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
    names.length > 0 ? [`${names.length} ${kind} (${listNames(names)})`] : [],
  );
  if (parts.length > 0)
    throw new KitError(
      `${file.path}: the adapter's tensors do not fit the model: ${parts.join("; ")}; load it with the model that it was made for.`,
    );
  return (name) => readValues(file.tensors.get(name)!);
}

function readValues({ shape, read }: StoredTensor): Float32Array {
  const values = new Float32Array(tf.util.sizeFromShape([...shape]));
  read(values);
  return values;
}

/** Reads a whole number of at least 1 from a configuration. Throws a KitError for anything else. */
export function readCount(path: string, config: Readonly<Record<string, unknown>>, field: string): number {
  const value = config[field];
  if (!(Number.isInteger(value) && (value as number) >= 1))
    throw new KitError(
      `${path}: ${field} is ${showValue(value)} where a whole number of at least 1 belongs; save the adapter again.`,
    );
  return value as number;
}
