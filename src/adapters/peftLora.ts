import * as tf from "@tensorflow/tfjs";
import type { SafetensorsFile } from "../checkpoints/safetensors.ts";
import { KitError, listed } from "../error.ts";
import type { AdaptableNetwork, LoraParts } from "./adapter.ts";
import { loraNames, loraWith } from "./lora.ts";
import { chosen, linearMaps, queriesAndValues, type Target, valuesByPattern } from "./loraTargets.ts";
import type { PeftConfig, PeftLayout } from "./peftLayout.ts";
import { checkPlain, type LoraConfig, readConfig } from "./peftLoraConfig.ts";
import { readExactly, shown } from "./peftTensors.ts";

/** LoRA's tensors go by the names of their projections; the configuration tells which those are, and ranks and alphas. */
export const peftLora: PeftLayout = {
  type: "LORA",
  config: ({ lora }, network) => ({
    task_type: network.prompts === "autoregressive" ? "CAUSAL_LM" : null, // PEFT has no task for masked language models
    ...settingsOf(lora!),
    lora_dropout: 0,
    bias: "none",
    fan_in_fan_out: false,
    init_lora_weights: true,
    target_modules: shortest([...lora!.parts.keys()], network),
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
    const targets = targetsOf(file.path, read, network);
    checkReach(file, targets);
    return loraWith({ parts: readParts(file, read, targets), rankStabilized: read.rankStabilized });
  },
};

/** Rank and alpha of most parts, and those of the others by the names of their projections. */
function settingsOf({ parts, rankStabilized }: LoraParts): PeftConfig {
  const names = [...parts.keys()];
  const [ranks, alphas] = [[...parts.values()].map(({ a }) => a.shape[0]!), [...parts.values()].map((p) => p.alpha)];
  const others = (values: readonly number[]) =>
    Object.fromEntries(names.flatMap((name, i) => (values[i] === commonest(values) ? [] : [[name, values[i]!]])));
  return {
    ...{ r: commonest(ranks), rank_pattern: others(ranks) },
    ...{ lora_alpha: commonest(alphas), alpha_pattern: others(alphas) },
    use_rslora: rankStabilized,
  };
}

function commonest(values: readonly number[]): number {
  const count = (value: number): number => values.filter((other) => other === value).length;
  return values.reduce((best, value) => (count(value) > count(best) ? value : best));
}

/** The last parts of the projections' names where no other projection shares them, else whole names. */
function shortest(names: readonly string[], network: AdaptableNetwork): readonly string[] {
  const ends = [...new Set(names.map((name) => name.slice(name.lastIndexOf(".") + 1)))];
  return chosen(linearMaps(network), { modules: ends }).length === names.length ? ends : names;
}

function targetsOf(path: string, { choice }: LoraConfig, network: AdaptableNetwork): Target[] {
  if (!choice) return queriesAndValues(network); // PEFT's own default for these families
  const targets = askPattern(path, () => chosen(linearMaps(network), choice));
  if (targets.length > 0) return targets;
  throw new KitError(
    `${path}: target_modules is ${shown(choice.modules)}, which fits no linear map of the model; take the model that the adapter was made for.`,
  );
}

/** Does what asks patterns of the configuration; throws a KitError for one that is none, or takes too long. */
function askPattern<T>(path: string, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    throw new KitError(
      `${path}: its patterns of modules cannot be followed (${(error as Error).message}); list the modules by their names.`,
    );
  }
}

/** Throws a KitError for tensors that belong to an embedding or to the output matrix, which the kit's LoRA leaves alone. */
function checkReach(file: SafetensorsFile, targets: readonly Target[]): void {
  const known = new Set(targets.map(({ name }) => name));
  const others = [...file.tensors.keys()].flatMap((tensor) => {
    const module = /^base_model\.model\.(.+)\.lora_(?:embedding_)?[AB](?:\.weight)?$/.exec(tensor)?.[1];
    const isOther = module && !known.has(module) && /(^|\.)lm_head(\.decoder)?$|embed/.test(module);
    return isOther ? [module] : [];
  });
  if (others.length === 0) return;
  throw new KitError(
    `${file.path}: the adapter changes ${listed([...new Set(others)])} too, and the kit's LoRA reaches neither embeddings nor the output matrix; train one of other modules.`,
  );
}

function readParts(file: SafetensorsFile, config: LoraConfig, targets: readonly Target[]): LoraParts["parts"] {
  const names = targets.map(({ name }) => name);
  const [ranks, alphas] = askPattern(file.path, () => [
    valuesByPattern(names, config.rankPattern, config.r),
    valuesByPattern(names, config.alphaPattern, config.alpha),
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
