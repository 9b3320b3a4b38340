import * as tf from "@tensorflow/tfjs";
import { KitError } from "../error.ts";
import { loraNames, loraPairs, loraWith, projectionsOf } from "./lora.ts";
import type { PeftConfig, PeftLayout } from "./peftLayout.ts";
import { countIn, readExactly } from "./peftTensors.ts";

/** Variants that keep the tensors' names and shapes but compute something else with them. */
const VARIANTS = ["use_rslora", "use_qalora", "use_bdlora", "alpha_pattern", "alora_invocation_tokens", "kasa_config"];
/** Starts of A and B that leave the model's own weights as they were. */
const PLAIN_STARTS: readonly unknown[] = [undefined, null, true, false, "gaussian", "eva"];

/** LoRA's tensors go by their own names; the configuration tells rank, alpha and the last part of the projections' names. */
export const peftLora: PeftLayout = {
  type: "LORA",
  config: ({ options }, { parameters }, { prompts }) => ({
    task_type: prompts === "autoregressive" ? "CAUSAL_LM" : null, // PEFT has no task for masked language models
    r: options.rank,
    lora_alpha: options.alpha,
    lora_dropout: 0,
    bias: "none",
    fan_in_fan_out: false,
    init_lora_weights: true,
    target_modules: [
      ...new Set([...loraPairs(parameters).keys()].map((name) => name.slice(name.lastIndexOf(".") + 1))),
    ],
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
    const { lora_alpha: alpha } = config;
    if (!(typeof alpha === "number" && alpha > 0))
      throw new KitError(
        `${path}: lora_alpha is ${JSON.stringify(alpha)} where a number above 0 belongs; save the adapter again.`,
      );
    return { rank: countIn(path, config, "r"), alpha };
  },
  read: (file, config, network) => {
    const { rank, alpha } = peftLora.options(file.path, config) as { rank: number; alpha: number };
    const projections = projectionsOf(network);
    const shapes = projections.flatMap(({ name, out, from }): [string, [number, number]][] => {
      const { a, b } = loraNames(name);
      return [
        [a, [rank, from]],
        [b, [out, rank]],
      ];
    });
    const values = readExactly(file, new Map(shapes));
    return loraWith(alpha / rank, projections, ({ name, out, from }) => {
      const { a, b } = loraNames(name);
      return { a: tf.tensor2d(values(a), [rank, from]), b: tf.tensor2d(values(b), [out, rank]) };
    });
  },
};

function checkPlain(path: string, config: PeftConfig): void {
  const { init_lora_weights: start } = config;
  const used = VARIANTS.filter((name) => !isOff(config[name]));
  if (!PLAIN_STARTS.includes(start)) used.push(`init_lora_weights ${JSON.stringify(start)}`);
  if (used.length > 0)
    throw new KitError(
      `${path}: the adapter is a variant of LoRA (${used.join(", ")}), which the kit does not compute; save a plain LoRA.`,
    );
}

const isOff = (value: unknown): boolean => !value || (typeof value === "object" && Object.keys(value).length === 0);
