import { KitError, showValue } from "../../error.ts";
import type { StoredTensor } from "../safetensors.ts";
import type { GgufFile } from "./header.ts";

/** A model's config.json. */
export type Config = Readonly<Record<string, unknown>>;

/** An architecture of GGUF, and what a checkpoint in Hugging Face layout has instead. */
export interface Architecture {
  readonly model_type: string;
  readonly architectures: readonly string[];
  /** The fields of config.json that are the architecture's own. Throws a KitError for what is not built. */
  readonly config: (file: GgufFile, fields: Fields) => Config;
  /** Names of modules by those of GGUF: outside the layers, and of a layer's below `layers`.N. */
  readonly outside: Readonly<Record<string, string>>;
  readonly layers: string;
  readonly inside: Readonly<Record<string, string>>;
  /** Tensors that config.json describes instead. */
  readonly unused?: readonly string[];
  /** Undoes what llama.cpp's converter does to the values of a layer's module, whose name is GGUF's. */
  readonly arrange?: (module: string, stored: StoredTensor, config: Config) => StoredTensor;
}

/** What is read of the metadata under an architecture's name. */
export interface Fields {
  readonly has: (key: string) => boolean;
  /** A number, or `otherwise` where there is none. Throws a KitError for another kind of value, and where a number is needed. */
  readonly number: (key: string, otherwise?: number) => number;
  /** A number in its shortest form: float32's 0.000009999999747 is 0.00001. */
  readonly decimal: (key: string, otherwise?: number) => number;
  readonly value: (key: string) => unknown;
}

/** The metadata of a file under an architecture's name. */
export function fieldsOf({ path, metadata }: GgufFile, architecture: string): Fields {
  const value = (key: string): unknown => metadata[`${architecture}.${key}`];
  const number = (key: string, otherwise?: number): number => {
    const found = value(key) ?? otherwise;
    if (typeof found === "number" || typeof found === "bigint") return Number(found);
    throw new KitError(
      `Reading ${path}: its metadata have ${showValue(found)} for ${architecture}.${key}, which must be a number; take a file that llama.cpp's converter has made.`,
    );
  };
  const decimal = (key: string, otherwise?: number): number => shortest(number(key, otherwise));
  return { value, number, decimal, has: (key) => value(key) !== undefined };
}

/** The shortest decimal that is the same number in float32. */
function shortest(value: number): number {
  const digits = [6, 7, 8, 9].find((digits) => Math.fround(Number(value.toPrecision(digits))) === value);
  return digits === undefined ? value : Number(value.toPrecision(digits));
}
