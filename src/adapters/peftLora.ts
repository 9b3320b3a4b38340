import * as tf from "@tensorflow/tfjs-core";
import { isObject } from "../checkpoints/json.ts";
import { KitError, listNames, showValue } from "../error.ts";
import type { AdaptableNetwork, LoraParts } from "./adapter.ts";
import {
  assignByPattern,
  type Choice,
  chooseMaps,
  listLinearMaps,
  listQueriesAndValues,
  loraNames,
  makeLora,
  type Target,
} from "./lora.ts";
import { type AdapterFile, type PeftConfig, type PeftLayout, readCount, readExactly } from "./peftLayout.ts";

/** The fields of LoRA's adapter_config.json that the kit uses. */
export interface LoraConfig {
  readonly r: number;
  readonly alpha: number;
  readonly rankPattern: Readonly<Record<string, number>>;
  readonly alphaPattern: Readonly<Record<string, number>>;
  readonly rankStabilized: boolean;
  /** The linear maps to adapt; undefined for PEFT's default. */
  readonly choice: Choice | undefined;
}

/** Fields of adapters that are more than low-rank corrections of linear maps. */
const VARIANTS = [
  ...["use_dora", "use_qalora", "use_bdlora", "kasa_config", "monteclora_config", "arrow_config"],
  ...["alora_invocation_tokens", "layer_replication", "lora_bias"],
  ...["modules_to_save", "trainable_token_indices", "target_parameters"],
];
/** Initializations of A and B that leave the model's own weights unchanged. */
const PLAIN_STARTS: readonly unknown[] = [undefined, null, true, false, "gaussian", "eva", "orthogonal"];

/** Throws a KitError, which names the fields, for an adapter that is more than low-rank corrections of linear maps. */
export function checkPlain(path: string, config: PeftConfig): void {
  const { init_lora_weights: start, bias = "none" } = config;
  const used = VARIANTS.filter((name) => !isOff(config[name]));
  if (bias !== "none" && bias !== null) used.push(`bias ${showValue(bias)}`);
  if (!PLAIN_STARTS.includes(start)) used.push(`init_lora_weights ${showValue(start)}`);
  if (used.length > 0)
    throw new KitError(
      `${path}: the adapter uses ${used.join(", ")}, which the kit does not compute; train or save a LoRA without them.`,
    );
}

const isOff = (value: unknown): boolean => !value || (typeof value === "object" && Object.keys(value).length === 0);

/** Reads the fields that the kit uses. Throws a KitError, which names the field, for an invalid value. */
export function readConfig(path: string, config: PeftConfig): LoraConfig {
  const isAbove0 = (value: unknown): value is number => typeof value === "number" && value > 0;
  const isCount = (value: unknown): value is number => isAbove0(value) && Number.isInteger(value);
  const { lora_alpha: alpha, use_rslora } = config;
  if (!isAbove0(alpha)) throw unfit(path, "lora_alpha", alpha, "a number above 0");
  return {
    r: readCount(path, config, "r"),
    alpha,
    rankPattern: readPatterns(path, config, "rank_pattern", isCount, "whole numbers from 1 on"),
    alphaPattern: readPatterns(path, config, "alpha_pattern", isAbove0, "numbers above 0"),
    rankStabilized: use_rslora === true,
    choice: readChoice(path, config),
  };
}

function readPatterns(
  path: string,
  config: PeftConfig,
  field: string,
  fits: (value: unknown) => value is number,
  what: string,
): Readonly<Record<string, number>> {
  const value = config[field] ?? {};
  if (isObject(value) && Object.values(value).every(fits)) return value as Record<string, number>;
  throw unfit(path, field, value, `an object of ${what} by modules`);
}

function readChoice(path: string, config: PeftConfig): Choice | undefined {
  const { target_modules: modules, exclude_modules: exclude, layers_to_transform, layers_pattern } = config;
  if (modules === undefined || modules === null) return undefined;
  const [layers, words] = [[layers_to_transform ?? []].flat(), [layers_pattern ?? []].flat()];
  if (!isNames(modules)) throw unfit(path, "target_modules", modules, "names or a pattern");
  if (!isNames(exclude ?? [])) throw unfit(path, "exclude_modules", exclude, "names or a pattern");
  if (!layers.every((layer) => Number.isInteger(layer)))
    throw unfit(path, "layers_to_transform", layers_to_transform, "numbers of layers");
  if (!isNames(words)) throw unfit(path, "layers_pattern", layers_pattern, "words");
  return {
    modules,
    exclude: (exclude ?? []) as string[],
    layers: layers as number[],
    layersPattern: words as string[],
  };
}

const isNames = (value: unknown): value is string | readonly string[] =>
  [value].flat().every((name) => typeof name === "string");

const unfit = (path: string, field: string, value: unknown, what: string): KitError =>
  new KitError(`${path}: ${field} is ${showValue(value)} where ${what} belongs; save the adapter again.`);

/** LoRA's tensors are named by their projections; the configuration says which those are, with ranks and alphas. */
export const peftLora: PeftLayout = {
  type: "LORA",
  config: ({ lora }, network) => ({
    task_type: network.prompts === "autoregressive" ? "CAUSAL_LM" : null, // PEFT has no task for masked language models
    ...makeSettings(lora!),
    lora_dropout: 0,
    bias: "none",
    fan_in_fan_out: [...lora!.parts.keys()].some((name) => network.transposed?.includes(`${name}.weight`)),
    init_lora_weights: true,
    target_modules: shortenNames([...lora!.parts.keys()], network),
    modules_to_save: null,
  }),
  tensors: ({ parameters }) =>
    Promise.all(
      parameters.map(async ({ name, value }) => ({
        name,
        shape: value.shape,
        data: (await value.data()) as Float32Array,
      })),
    ),
  options: (path, config) => {
    checkPlain(path, config);
    const { r, alpha, rankPattern, alphaPattern, rankStabilized } = readConfig(path, config);
    const patterns = { rankPattern, alphaPattern };
    const filled = Object.entries(patterns).filter(([, values]) => Object.keys(values).length > 0);
    return {
      ...{ rank: r, alpha, ...(rankStabilized && { rankStabilized }) },
      ...Object.fromEntries(filled.map(([name, values]) => [name, JSON.stringify(values)])),
    };
  },
  read: (file, config, network) => {
    checkPlain(file.path, config);
    const read = readConfig(file.path, config);
    const targets = findTargets(file.path, read, network);
    checkReach(file, targets);
    return makeLora({ parts: readParts(file, read, targets), rankStabilized: read.rankStabilized });
  },
};

/** The commonest rank and alpha, and those of the other parts by the names of their projections. */
function makeSettings({ parts, rankStabilized }: LoraParts): PeftConfig {
  const names = [...parts.keys()];
  const [ranks, alphas] = [[...parts.values()].map(({ a }) => a.shape[0]!), [...parts.values()].map((p) => p.alpha)];
  const others = (values: readonly number[]) =>
    Object.fromEntries(names.flatMap((name, i) => (values[i] === findCommonest(values) ? [] : [[name, values[i]!]])));
  return {
    ...{ r: findCommonest(ranks), rank_pattern: others(ranks) },
    ...{ lora_alpha: findCommonest(alphas), alpha_pattern: others(alphas) },
    use_rslora: rankStabilized,
  };
}

function findCommonest(values: readonly number[]): number {
  const count = (value: number): number => values.filter((other) => other === value).length;
  return values.reduce((best, value) => (count(value) > count(best) ? value : best));
}

/** The last parts of the projections' names where no other linear map shares them, else whole names. */
function shortenNames(names: readonly string[], network: AdaptableNetwork): readonly string[] {
  const ends = [...new Set(names.map((name) => name.slice(name.lastIndexOf(".") + 1)))];
  return chooseMaps(listLinearMaps(network), { modules: ends }).length === names.length ? ends : names;
}

function findTargets(path: string, { choice }: LoraConfig, network: AdaptableNetwork): Target[] {
  if (!choice) return listQueriesAndValues(network); // PEFT's own default for these families
  const targets = matchOrThrow(path, () => chooseMaps(listLinearMaps(network), choice));
  if (targets.length > 0) return targets;
  throw new KitError(
    `${path}: target_modules is ${showValue(choice.modules)}, which fits no linear map of the model; take the model that the adapter was made for.`,
  );
}

/** Matches patterns of the configuration. Throws a KitError for one that is invalid or takes too long. */
function matchOrThrow<T>(path: string, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    throw new KitError(
      `${path}: its patterns of modules cannot be used (${(error as Error).message}); list the modules by their names.`,
    );
  }
}

/** Throws a KitError for tensors of an embedding or of the output matrix, which the kit's LoRA does not adapt. */
function checkReach(file: AdapterFile, targets: readonly Target[]): void {
  const known = new Set(targets.map(({ name }) => name));
  const others = [...file.tensors.keys()].flatMap((tensor) => {
    const module = /^base_model\.model\.(.+)\.lora_(?:embedding_)?[AB](?:\.weight)?$/.exec(tensor)?.[1];
    const isOther = module && !known.has(module) && /(^|\.)lm_head(\.decoder)?$|embed/.test(module);
    return isOther ? [module] : [];
  });
  if (others.length === 0) return;
  throw new KitError(
    `${file.path}: the adapter changes ${listNames([...new Set(others)])} too, and the kit's LoRA reaches neither embeddings nor the output matrix; train one of other modules.`,
  );
}

function readParts(file: AdapterFile, config: LoraConfig, targets: readonly Target[]): LoraParts["parts"] {
  const names = targets.map(({ name }) => name);
  const [ranks, alphas] = matchOrThrow(file.path, () => [
    assignByPattern(names, config.rankPattern, config.r),
    assignByPattern(names, config.alphaPattern, config.alpha),
  ]);
  const shapes = targets.flatMap(({ name, out, from }): [string, [number, number]][] => {
    const [{ a, b }, rank] = [loraNames(name), ranks!.get(name)!];
    return [
      [a, [rank, from]],
      [b, [out, rank]],
    ];
  });
  const values = readExactly(file, new Map(shapes));
  const tensor = (name: string, shape: [number, number]): tf.Tensor => tf.tensor2d(values(name), shape);
  return new Map(
    targets.map(({ name, out, from }) => {
      const [{ a, b }, rank] = [loraNames(name), ranks!.get(name)!];
      return [name, { a: tensor(a, [rank, from]), b: tensor(b, [out, rank]), alpha: alphas!.get(name)! }];
    }),
  );
}
