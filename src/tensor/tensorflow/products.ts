import * as tf from "@tensorflow/tfjs-core";
import type { HalfFormat } from "../source.ts";
import { processorLevel } from "../x86/library.ts";
import { halfFormat, type NodeBackend, type Value } from "./operations.ts";

/**
 * In what numbers products with a weight are formed, in which its sides theta ± eps z are kept too: those of 16 bits in their own on a GPU, and
 * in bfloat16 on a processor that multiplies it; all others in float32. Sums are in float32 everywhere.
 */
export function productType(weight: Value): "float32" | HalfFormat {
  const format = halfFormat(weight);
  if (format === undefined || isOnGpu()) return format ?? "float32";
  return format === "bfloat16" && ["avx512bf16", "amx"].includes(processorLevel()) ? format : "float32";
}

/** Whether TensorFlow found a GPU. */
export const isOnGpu = (): boolean => (tf.backend() as unknown as NodeBackend).isUsingGpuDevice;
