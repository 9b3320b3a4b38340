import { runInNewContext } from "node:vm";
import * as tf from "@tensorflow/tfjs-core";
import seedrandom from "seedrandom";
import { checkOptions, KitError, showValue } from "../error.ts";
import { multiply } from "../kernels/elementwise.ts";
import { linear } from "../kernels/linear.ts";
import { noteMeant } from "../models/network.ts";
import type { Correction } from "../nn/network.ts";
import { storage } from "../tensor/backend.ts";
import type { Parameter } from "../tensor/parameter.ts";
import {
  type AdaptableNetwork,
  type Adapted,
  type Adapter,
  checkCount,
  defineAdapter,
  type LoraPart,
  type LoraParts,
} from "./adapter.ts";

/** A linear map that LoRA can adapt, by the name of its weight [out, from] without ".weight". */
export interface Target {
  readonly name: string;
  readonly out: number;
  readonly from: number;
}

/** The query and value projections of every layer, in order: what the paper adapts (Appendix E.5). */
export function listQueriesAndValues(network: AdaptableNetwork): Target[] {
  const maps = new Map(listMatrices(network).map((map) => [map.name, map]));
  const names = new Set(network.layers.flatMap(({ query, value }) => [query, value]));
  return [...names].map((name) => maps.get(name)!);
}

/** Every linear map of a network except the output matrix and embeddings: queries and values, then the others in the checkpoint's order. */
export function listLinearMaps(network: AdaptableNetwork): Target[] {
  const first = listQueriesAndValues(network);
  const names = new Set(first.map(({ name }) => name));
  return [...first, ...listMatrices(network).filter(({ name }) => !names.has(name))];
}

function listMatrices({ parameters, head, embeddings }: AdaptableNetwork): Target[] {
  return parameters.flatMap(({ name, value }) => {
    if (value.rank !== 2 || value === head.weight || embeddings.includes(name)) return [];
    const [out, from] = value.shape as [number, number];
    return { name: name.replace(/\.weight$/, ""), out, from };
  });
}

/** A choice of linear maps, in the terms of PEFT's configuration. */
export interface Choice {
  /** Names, whole or their part after a dot; as one string "all-linear" or a pattern of whole names. */
  readonly modules: string | readonly string[];
  readonly exclude?: string | readonly string[];
  /** The only layers that count, from 0, except for whole names. */
  readonly layers?: readonly number[];
  /** Patterns of the word before a layer's number. */
  readonly layersPattern?: readonly string[];
}

/** The chosen linear maps. Throws what `RegExp` throws for an invalid pattern. */
export function chooseMaps(maps: readonly Target[], choice: Choice): Target[] {
  const { modules, exclude = [], layers = [], layersPattern = [] } = choice;
  const names = maps.map(({ name }) => name);
  const [found, out] = [matchNames(names, modules), matchNames(names, exclude)];
  const whole = new Set(typeof modules === "string" ? names : modules);
  const inLayers = layers.length === 0 ? found : matchPatterns([layerPattern(layers, layersPattern)], names)[0]!;
  return maps.filter(({ name }) => found.has(name) && !out.has(name) && (whole.has(name) || inLayers.has(name)));
}

function matchNames(names: readonly string[], wanted: string | readonly string[]): ReadonlySet<string> {
  if (typeof wanted !== "string")
    return new Set(names.filter((name) => wanted.some((end) => name === end || name.endsWith(`.${end}`))));
  return wanted.toLowerCase() === "all-linear" ? new Set(names) : matchPatterns([`(?:${wanted})`], names)[0]!;
}

const layerPattern = (layers: readonly number[], words: readonly string[]): string =>
  `(?:.*\\.)?(?:${words.length > 0 ? words.join("|") : "[^.]*"})\\.(?:${layers.join("|")})\\..*`;

/** The value of each name by the first pattern that matches it whole or after a dot; `otherwise` where none does. */
export function assignByPattern(
  names: readonly string[],
  patterns: Readonly<Record<string, number>>,
  otherwise: number,
): ReadonlyMap<string, number> {
  const values = new Map(names.map((name) => [name, otherwise]));
  const ends = Object.keys(patterns).map((pattern) => `(?:.*\\.)?(?:${pattern})`);
  const found = matchPatterns(ends, names);
  for (const [i, value] of [...Object.values(patterns).entries()].reverse())
    for (const name of found[i]!) values.set(name, value);
  return values;
}

/** The most time that patterns, which come from a file, may take together. */
const PATTERN_MILLISECONDS = 1000;

/** For each Python pattern, the names that it matches completely. */
function matchPatterns(patterns: readonly string[], names: readonly string[]): ReadonlySet<string>[] {
  const sources = patterns.map((pattern) => `^${pattern.replaceAll("(?P<", "(?<")}$`);
  const fitting = "sources.map((source) => names.filter((name) => new RegExp(source).test(name)))";
  const scope = { sources, names: [...names] };
  const found: string[][] = runInNewContext(fitting, scope, { timeout: PATTERN_MILLISECONDS });
  return found.map((fits) => new Set(fits));
}

/** Settings of LoRA; the paper's are the defaults (Appendix E.5). */
export interface LoraOptions {
  /** Rows of A, columns of B. */
  readonly rank?: number;
  /** The correction is multiplied by alpha / rank. */
  readonly alpha?: number;
  /** Multiplies it by alpha / √rank instead (rank-stabilized LoRA; Kalajdzievski 2023), so that a higher rank does not shrink it. */
  readonly rslora?: boolean;
  /**
   * The linear maps to adapt by the ends of their names, such as ["q_proj", "v_proj", "fc1"] or "q_proj,v_proj,fc1"; "all-linear" for all
   * but the output matrix. By default the query and value projections of every layer.
   */
  readonly targets?: string | readonly string[];
}

/** Runs that were recorded before `targets` had its name have it as `modules`, and keep it when they are resumed and replayed. */
interface RecordedOptions extends LoraOptions {
  readonly modules?: string | readonly string[];
}

/**
 * LoRA (Hu et al. 2021; Appendix E.5): the query and value projections of every layer, or the named linear maps, give
 * W x + (alpha / rank) B A x, where A [rank, in] is drawn uniformly from ±1/√in and B [out, rank] is 0, so that the adapted network starts
 * as the network itself. At the start only B has a gradient, yet MeZO perturbs both, as in the authors' code. The paper's equation 6 names
 * A and B the other way round. Throws a KitError for an unknown option and an invalid value.
 */
export const lora: (options?: LoraOptions) => Adapter = defineAdapter("LoRA", (options: RecordedOptions) => {
  const { rank = 8, alpha = 16, rslora = false, targets, modules, ...unknown } = options;
  checkOptions("LoRA", unknown, ["rank", "alpha", "targets", "rslora"]);
  checkCount("LoRA", "rank", rank);
  if (!(alpha > 0 && Number.isFinite(alpha))) throw new KitError(`LoRA needs an alpha above 0, not ${alpha}.`);
  if (typeof rslora !== "boolean") throw new KitError(`LoRA needs true or false as rslora, not ${showValue(rslora)}.`);
  const names = readNames(targets ?? modules);
  const chosen = names && { [targets === undefined ? "modules" : "targets"]: names.join(",") };
  return {
    options: { rank, alpha, ...(rslora && { rslora }), ...chosen },
    begin: (network, { seed }) => {
      const maps = names ? findTargets(network, names) : listQueriesAndValues(network);
      return makeLora({
        rankStabilized: rslora,
        parts: new Map(maps.map((map) => [map.name, { ...drawPart(map, rank, seed), alpha }])),
      });
    },
  };
});

const readNames = (targets: LoraOptions["targets"]): readonly string[] | undefined =>
  targets === undefined ? undefined : [targets].flat().flatMap((name) => name.split(/\s*,\s*/));

/** The linear maps of those names. Throws a KitError, which lists the possible names, for an unknown one. */
function findTargets(network: AdaptableNetwork, names: readonly string[]): Target[] {
  const maps = listLinearMaps(network);
  if (names.join() === "all-linear") return maps;
  const absent = names.filter((name) => chooseMaps(maps, { modules: [name] }).length === 0);
  if (absent.length === 0) return chooseMaps(maps, { modules: names });
  const ends = new Set(maps.map(({ name }) => name.slice(name.lastIndexOf(".") + 1)));
  throw new KitError(
    `LoRA was to adapt ${absent.join(" and ")}, but the model has no linear map of that name: choose among ${[...ends].join(", ")}, or all-linear.`,
  );
}

function drawPart({ name, out, from }: Target, rank: number, seed: number): Omit<LoraPart, "alpha"> {
  return {
    a: tf.tensor2d(drawKaimingUniform(`${seed} ${name}`, rank * from, from), [rank, from]),
    b: tf.zeros([out, rank]),
  };
}

/** Names of a projection's weights, as Python's PEFT has them. */
export function loraNames(projection: string): { readonly a: string; readonly b: string } {
  const base = `base_model.model.${projection}`;
  return { a: `${base}.lora_A.weight`, b: `${base}.lora_B.weight` };
}

/** LoRA with the given parts, whose tensors become its weights. */
export function makeLora(lora: LoraParts): Adapted {
  const correction = (projection: string): Correction | undefined => {
    const part = lora.parts.get(projection);
    return part && ((x) => tf.tidy(() => linear(multiply(linear(x, part.a), computeScale(part, lora)), part.b)));
  };
  const parameters = [...lora.parts].flatMap(([name, { a, b }]): Parameter[] => {
    const names = loraNames(name);
    return [
      { name: names.a, value: a },
      { name: names.b, value: b },
    ];
  });
  const dispose = (): void => tf.dispose(parameters.map(({ value }) => value));
  return { parameters, adaptation: { correction }, lora, dispose };
}

function computeScale({ a, alpha }: LoraPart, { rankStabilized }: LoraParts): number {
  const rank = a.shape[0]!;
  return alpha / (rankStabilized ? Math.sqrt(rank) : rank);
}

/** PyTorch's kaiming_uniform_ with a = √5: uniform between ±1/√from. */
function drawKaimingUniform(seed: string, size: number, from: number): Float32Array {
  const random = seedrandom.alea(seed);
  return Float32Array.from({ length: size }, () => (2 * random() - 1) / Math.sqrt(from));
}

/**
 * Adds LoRA's corrections to a model's own weights, in place: W becomes W + (alpha / rank) B A, whichever linear maps it adapts. The model then computes alone, up to
 * rounding, what it computed with the adapter, and must no longer be run with it; the model's `restore` undoes the merge.
 * Throws a KitError, with nothing changed, for another adapter, such as a prefix, and for an adapter of another model.
 */
export function mergeLora(model: readonly Parameter[], { adaptation, lora }: Adapted): void {
  const { correction } = adaptation;
  if (!correction || !lora)
    throw new KitError(
      "Merging was asked for, but the adapter is not LoRA, and only LoRA can be merged into weights: save a prefix as it is.",
    );
  const weights = new Map(model.map(({ name, value }) => [name, value]));
  const places = [...lora.parts].map(([projection, part]) => {
    const weight = weights.get(`${projection}.weight`);
    checkFit(projection, weight, part);
    return { projection, weight };
  });
  for (const { projection, weight } of places) addCorrection(weight!, correction(projection)!);
  noteMeant(model);
}

function checkFit(projection: string, weight: tf.Tensor | undefined, { a, b }: LoraPart): void {
  const fits = [b.shape[0], a.shape[1]];
  if (weight?.shape.join() === fits.join()) return;
  const found = weight ? `one of [${weight.shape}]` : "none";
  throw new KitError(
    `Merging LoRA into ${projection}.weight: the adapter fits a weight of [${fits}], the model has ${found}; take the model that the adapter was made for.`,
  );
}

/** A correction is linear in x: applied to the unit vectors it gives the transposed change of the weight. */
function addCorrection(weight: tf.Tensor, correction: Correction): void {
  tf.tidy(() => {
    const change = tf.transpose(correction(tf.eye(weight.shape[1]!)));
    storage().copy(tf.add(weight, change), weight);
  });
}
