import { isObject } from "../checkpoints/json.ts";
import { KitError } from "../error.ts";
import type { Choice } from "./loraTargets.ts";
import type { PeftConfig } from "./peftLayout.ts";
import { countIn, shown } from "./peftTensors.ts";

/** What a LoRA's adapter_config.json says that the kit follows. */
export interface LoraConfig {
  readonly r: number;
  readonly alpha: number;
  readonly rankPattern: Readonly<Record<string, number>>;
  readonly alphaPattern: Readonly<Record<string, number>>;
  readonly rankStabilized: boolean;
  /** The linear maps that are adapted; none where it leaves them to PEFT's default. */
  readonly choice: Choice | undefined;
}

/** Fields by which an adapter computes, or trains, more than low-rank corrections of linear maps. */
const VARIANTS = [
  ...["use_dora", "use_qalora", "use_bdlora", "kasa_config", "monteclora_config", "arrow_config"],
  ...["alora_invocation_tokens", "layer_replication", "lora_bias"],
  ...["modules_to_save", "trainable_token_indices", "target_parameters"],
];
/** Starts of A and B that leave the model's own weights as they were. */
const PLAIN_STARTS: readonly unknown[] = [undefined, null, true, false, "gaussian", "eva", "orthogonal"];

/** Throws a KitError, which names the fields, for an adapter that is more than low-rank corrections of linear maps. */
export function checkPlain(path: string, config: PeftConfig): void {
  const { init_lora_weights: start, bias = "none" } = config;
  const used = VARIANTS.filter((name) => !isOff(config[name]));
  if (bias !== "none" && bias !== null) used.push(`bias ${shown(bias)}`);
  if (!PLAIN_STARTS.includes(start)) used.push(`init_lora_weights ${shown(start)}`);
  if (used.length > 0)
    throw new KitError(
      `${path}: the adapter uses ${used.join(", ")}, which the kit does not compute; train or save a LoRA without.`,
    );
}

const isOff = (value: unknown): boolean => !value || (typeof value === "object" && Object.keys(value).length === 0);

/** The fields that the kit follows. Throws a KitError, which names the field, for what cannot be. */
export function readConfig(path: string, config: PeftConfig): LoraConfig {
  const isAbove0 = (value: unknown): value is number => typeof value === "number" && value > 0;
  const isCount = (value: unknown): value is number => isAbove0(value) && Number.isInteger(value);
  const { lora_alpha: alpha, use_rslora } = config;
  if (!isAbove0(alpha)) throw unfit(path, "lora_alpha", alpha, "a number above 0");
  return {
    r: countIn(path, config, "r"),
    alpha,
    rankPattern: patternsIn(path, config, "rank_pattern", isCount, "whole numbers from 1 on"),
    alphaPattern: patternsIn(path, config, "alpha_pattern", isAbove0, "numbers above 0"),
    rankStabilized: use_rslora === true,
    choice: choiceIn(path, config),
  };
}

function patternsIn(
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

function choiceIn(path: string, config: PeftConfig): Choice | undefined {
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
  new KitError(`${path}: ${field} is ${shown(value)} where ${what} belongs; save the adapter again.`);
