import { runInNewContext } from "node:vm";
import type { AdaptableNetwork } from "./adapter.ts";

/** A linear map that LoRA can adapt, by the name of its weight [out, from] without ".weight". */
export interface Target {
  readonly name: string;
  readonly out: number;
  readonly from: number;
}

/** The query and value projections of every layer, in order: what the paper adapts (Appendix E.5). */
export function queriesAndValues(network: AdaptableNetwork): Target[] {
  const maps = new Map(matrices(network).map((map) => [map.name, map]));
  return network.layers.flatMap(({ query, value }) => [maps.get(query)!, maps.get(value)!]);
}

/** Every linear map of a network but the output matrix: queries and values, then the others as the checkpoint has them. Embeddings are none. */
export function linearMaps(network: AdaptableNetwork): Target[] {
  const first = queriesAndValues(network);
  const names = new Set(first.map(({ name }) => name));
  return [...first, ...matrices(network).filter(({ name }) => !names.has(name))];
}

function matrices({ parameters, head }: AdaptableNetwork): Target[] {
  return parameters.flatMap(({ name, value }) => {
    if (value.rank !== 2 || value === head.weight || name.includes("embed")) return [];
    const [out, from] = value.shape as [number, number];
    return { name: name.replace(/\.weight$/, ""), out, from };
  });
}

/** Which linear maps are meant, in the terms of PEFT's configuration. */
export interface Choice {
  /** Names, whole or from after a dot on; as one string "all-linear" or a pattern of whole names. */
  readonly modules: string | readonly string[];
  readonly exclude?: string | readonly string[];
  /** Numbers of layers, counted from 0, where the others are not meant; whole names are meant all the same. */
  readonly layers?: readonly number[];
  /** Patterns of the word before a layer's number, where only such words count. */
  readonly layersPattern?: readonly string[];
}

/** The linear maps that are meant. Throws what `RegExp` throws for a pattern that is none. */
export function chosen(maps: readonly Target[], choice: Choice): Target[] {
  const { modules, exclude = [], layers = [], layersPattern = [] } = choice;
  const names = maps.map(({ name }) => name);
  const [found, out] = [named(names, modules), named(names, exclude)];
  const whole = new Set(typeof modules === "string" ? names : modules);
  const inLayers = layers.length === 0 ? found : matching([layerPattern(layers, layersPattern)], names)[0]!;
  return maps.filter(({ name }) => found.has(name) && !out.has(name) && (whole.has(name) || inLayers.has(name)));
}

function named(names: readonly string[], wanted: string | readonly string[]): ReadonlySet<string> {
  if (typeof wanted !== "string")
    return new Set(names.filter((name) => wanted.some((end) => name === end || name.endsWith(`.${end}`))));
  return wanted.toLowerCase() === "all-linear" ? new Set(names) : matching([`(?:${wanted})`], names)[0]!;
}

const layerPattern = (layers: readonly number[], words: readonly string[]): string =>
  `(?:.*\\.)?(?:${words.length > 0 ? words.join("|") : "[^.]*"})\\.(?:${layers.join("|")})\\..*`;

/** The names that the first of the patterns fits, from after a dot on, has a value for; the others have `otherwise`. */
export function valuesByPattern(
  names: readonly string[],
  patterns: Readonly<Record<string, number>>,
  otherwise: number,
): ReadonlyMap<string, number> {
  const values = new Map(names.map((name) => [name, otherwise]));
  const ends = Object.keys(patterns).map((pattern) => `(?:.*\\.)?(?:${pattern})`);
  const found = matching(ends, names);
  for (const [i, value] of [...Object.values(patterns).entries()].reverse())
    for (const name of found[i]!) values.set(name, value);
  return values;
}

/** The longest that patterns, which come out of a file, may take together. */
const PATTERN_MILLISECONDS = 1000;

/** Of each pattern of Python's the names that it fits from their first letter to their last. */
function matching(patterns: readonly string[], names: readonly string[]): ReadonlySet<string>[] {
  const sources = patterns.map((pattern) => `^${pattern.replaceAll("(?P<", "(?<")}$`);
  const fitting = "sources.map((source) => names.filter((name) => new RegExp(source).test(name)))";
  const scope = { sources, names: [...names] };
  const found: string[][] = runInNewContext(fitting, scope, { timeout: PATTERN_MILLISECONDS });
  return found.map((fits) => new Set(fits));
}
