import { shorten } from "../error.ts";
import { isObject } from "./json.ts";
import type { StoredTensor } from "./safetensors.ts";

/** How the ways to quantize weights are called, by the names that config.json has for them. */
const METHODS: Readonly<Record<string, string>> = {
  ...{ gptq: "GPTQ", awq: "AWQ", fp8: "FP8", fbgemm_fp8: "FP8", modelopt: "ModelOpt", mxfp4: "MXFP4" },
};

/** Ends of the names of tensors that only quantized weights have, in the order in which they tell the way. */
const TRACES: readonly (readonly [RegExp, string])[] = [
  [/\.g_idx$/, "GPTQ"],
  [/\.qweight$/, "AWQ"],
  [/\.weight\.(absmax|quant_map|nested_absmax)$/, "bitsandbytes (4 bits)"],
  [/\.SCB$/, "bitsandbytes (int8)"],
  [/\.weight_scale_inv$/, "FP8"],
];

/**
 * The way in which a model's weights are quantized, as their config.json or the names and kinds of their tensors tell; undefined where they
 * are plain numbers. The blocks of a GGUF file, which the kit reads, are no such way.
 */
export function findQuantization(
  config: Readonly<Record<string, unknown>>,
  tensors: ReadonlyMap<string, StoredTensor> = new Map(),
): string | undefined {
  const { quantization_config: said } = config;
  if (isObject(said)) return nameOf(said);
  const names = [...tensors.keys()];
  const [, found] = TRACES.find(([trace]) => names.some((name) => trace.test(name))) ?? [];
  return found ?? ([...tensors.values()].some(({ dtype }) => dtype.startsWith("F8_")) ? "FP8" : undefined);
}

function nameOf({ quant_method: method, load_in_4bit: four }: Readonly<Record<string, unknown>>): string {
  if (typeof method !== "string") return "an unnamed method";
  if (method === "bitsandbytes") return four === true ? "bitsandbytes (4 bits)" : "bitsandbytes (int8)";
  return METHODS[method] ?? shorten(method);
}
