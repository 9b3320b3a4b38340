import * as tf from "@tensorflow/tfjs-core";
import type { FormedProducts } from "../products.ts";
import type { HalfFormat } from "../source.ts";
import { processorLevel } from "../x86/library.ts";
import { halfFormat, type NodeBackend, type Value } from "./operations.ts";

/**
 * In what numbers products with a weight are formed, in which its sides theta ± eps z are kept too: those of 16 bits in their own on a GPU, and
 * in bfloat16 on a processor that multiplies it; all others in float32. Sums are in float32 everywhere.
 */
export const productType = (weight: Value): "float32" | HalfFormat => typeOf(halfFormat(weight));

/** How products with weights of a format are formed here, as runs tell it. */
export function formedProducts(format: HalfFormat | undefined): FormedProducts {
  const type = typeOf(format);
  return type === "bfloat16" ? "bf16" : type;
}

function typeOf(format: HalfFormat | undefined): "float32" | HalfFormat {
  if (format === undefined || isOnGpu()) return format ?? "float32";
  return format === "bfloat16" && ["avx512bf16", "amx"].includes(processorLevel()) ? format : "float32";
}

/** Whether TensorFlow found a GPU. */
export const isOnGpu = (): boolean => (tf.backend() as unknown as NodeBackend).isUsingGpuDevice;
