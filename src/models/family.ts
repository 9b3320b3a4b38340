import { KitError, showValue } from "../error.ts";
import type { Weights } from "../nn/layers.ts";
import type { Network } from "../nn/network.ts";
import type { Config } from "./config.ts";

/** What a model asks of its input. */
export interface Limits {
  /** Longest sequence, in tokens. */
  readonly maxLength: number;
  /**
   * Id of the begin token: as the paper's code sets it (`mezo`), and as the model's own config has it (`config`); undefined where texts
   * begin with their own first token.
   */
  readonly begin: { readonly mezo: number | undefined; readonly config: number | undefined };
  /** Ids of the tokens that end a text; none where the config names none. */
  readonly ends: readonly number[];
}

/** A model family: one architecture, defined by `defineFamily` under the name that config.json's `model_type` has for it. */
export interface ModelFamily {
  /** Every weight and its shape. Throws a KitError where the config lacks a field or asks for what is not built. */
  shapes(config: Config): ReadonlyMap<string, readonly number[]>;
  /** The name a weight has in `shapes`, for a name found in a checkpoint; undefined for what the network does not use. */
  canonicalName(found: string, config: Config): string | undefined;
  /** Whether checkpoints hold a matrix, by its name in `shapes`, as [in, out], so that it is turned at loading and at saving. */
  isTransposed?(name: string): boolean;
  /**
   * Further names of weights in checkpoints, by those in `shapes`: what lies there goes first, and is written too. Transformers has two of
   * some weights, of which it reads one.
   */
  aliases?(config: Config): Readonly<Record<string, string>>;
  build(config: Config, weights: Weights): Network;
  limits(config: Config): Limits;
  /** How prompts are put to its models. */
  readonly prompts: Network["prompts"];
  /** Names of the output matrix and of the embedding that it is tied to in most checkpoints, where the network can have it untied. */
  readonly tie?: { readonly output: string; readonly embedding: string };
}

/** A config's end tokens, which are one, several or none. */
export function listEnds(found: number | readonly number[] | undefined): readonly number[] {
  return [found ?? []].flat();
}

const families = new Map<string, ModelFamily>();

/**
 * Defines a family: `loadModel` builds models whose config.json has that `model_type` wherever the file that defines it is imported. A
 * later definition of a type replaces an earlier one.
 */
export function defineFamily(type: string, family: ModelFamily): ModelFamily {
  families.set(type, family);
  return family;
}

/** The family of a config's `model_type`. Throws a KitError, which names the model and lists what is defined, where there is none. */
export function findFamily(model: string, { model_type: type }: Config): ModelFamily {
  const family = typeof type === "string" ? families.get(type) : undefined;
  if (family) return family;
  throw new KitError(
    `${model} holds a model of type ${showValue(type)}, which the kit cannot build: it knows ${[...families.keys()].join(", ")}.`,
  );
}

/** Weight and bias of a projection, or its weight alone, under its checkpoint name: [out, from]. */
export function denseShapes(name: string, out: number, from: number, bias = true): Record<string, number[]> {
  return { [`${name}.weight`]: [out, from], ...(bias && { [`${name}.bias`]: [out] }) };
}

/** Gain and shift of a layer normalization. */
export function normShapes(name: string, width: number): Record<string, number[]> {
  return { [`${name}.weight`]: [width], [`${name}.bias`]: [width] };
}

/** The checkpoint names of a layer's weights, which lie under `at`. */
export function namesUnder(at: string, shapes: Readonly<Record<string, readonly number[]>>): string[] {
  return Object.keys(shapes).map((name) => `${at}.${name}`);
}

/** The shapes under names that begin with `at`. */
export function under(at: string, shapes: Readonly<Record<string, readonly number[]>>): [string, readonly number[]][] {
  return Object.entries(shapes).map(([name, shape]) => [`${at}.${name}`, shape]);
}
