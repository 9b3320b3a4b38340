import * as tf from "@tensorflow/tfjs-core";
import type { HalfFormat, HalfKind, Rounding } from "../source.ts";
import { gpu, TENSOR_USAGE } from "./gpu.ts";

/** The numbers that a buffer of weights holds: float32, or 16 bits packed two to a u32, the element of even index in the lower half. */
export type GpuFormat = "float32" | HalfFormat;

const kinds = new WeakMap<object, HalfKind>();

/** How a tensor's values are kept in 16 bits; undefined where they are in float32. Clones and reshapes of a tensor share its values. */
export function kindOf({ dataId }: tf.TensorInfo): HalfKind | undefined {
  return kinds.get(dataId);
}

/** In which numbers a tensor's buffer holds its values. */
export function formatOf(tensor: tf.TensorInfo): GpuFormat {
  return kindOf(tensor)?.format ?? "float32";
}

/** Bytes of a buffer of so many elements: a whole number of u32. */
export function formatBytes(format: GpuFormat, elements: number): number {
  return format === "float32" ? 4 * elements : 4 * Math.ceil(elements / 2);
}

/** A tensor of TensorFlow.js's dtype float32 whose values are kept in 16 bits; they are unspecified at first. */
export function halfTensor(shape: readonly number[], kind: HalfKind): tf.Tensor {
  const backend = gpu();
  const bytes = Math.max(4, formatBytes(kind.format, tf.util.sizeFromShape([...shape])));
  const buffer = backend.bufferManager.acquireBuffer(bytes, TENSOR_USAGE);
  const info = backend.makeTensorInfo([...shape], "float32");
  backend.tensorMap.get(info.dataId).resource = buffer;
  kinds.set(info.dataId, kind);
  return tf.engine().makeTensorFromTensorInfo(info);
}

/** The WGSL type of an element of a buffer: `array<TYPE>`. */
export function weightType(format: GpuFormat): "f32" | "u32" {
  return format === "float32" ? "f32" : "u32";
}

/** What a u32 of two 16-bit numbers holds, exactly: the smallest numbers of float16 are told apart, which unpack2x16float may make 0. */
const UNPACK: Readonly<Record<HalfFormat, string>> = {
  bfloat16: "fn unpack(pair : u32) -> vec2<f32> { return bitcast<vec2<f32>>(vec2(pair << 16u, pair & 0xffff0000u)); }",
  float16: `fn unpack(pair : u32) -> vec2<f32> {
  let size = vec2(pair & 0x7fffu, (pair >> 16u) & 0x7fffu);
  let normal = (size << vec2(13u)) + vec2(0x38000000u);
  let small = bitcast<vec2<u32>>(vec2<f32>(size) * ${2 ** -24});
  return bitcast<vec2<f32>>(select(normal, small, size < vec2(0x400u)) | vec2((pair & 0x8000u) << 16u, pair & 0x80000000u));
}`,
};

/** WGSL of `fn unpack(pair : u32) -> vec2<f32>`, the two numbers of a u32, lower half first. */
export const unpackPair = (format: HalfFormat): string => UNPACK[format];

const ROUND_BFLOAT16: Readonly<Record<Rounding, string>> = {
  nearest: "(bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u",
  stochastic: "(bits + share) >> 16u",
};

/** Of the smallest numbers, a count of the last place is rounded; the rest, and what is between, is exact in float32. */
const ROUND_FLOAT16: Readonly<Record<Rounding, { small: string; normal: string }>> = {
  nearest: { small: "roundEven(count)", normal: "0xfffu + ((size >> 13u) & 1u)" },
  stochastic: { small: `floor(count + f32(share) * ${2 ** -16})`, normal: "(share >> 3u)" },
};

const roundOne = ({ format, rounding }: HalfKind): string =>
  format === "bfloat16"
    ? `fn roundOne(bits : u32, share : u32) -> u32 { return ${ROUND_BFLOAT16[rounding]}; }`
    : `fn roundEven(count : f32) -> f32 {
  let down = floor(count);
  let rest = count - down;
  return down + select(0.0, 1.0, rest > 0.5 || (rest == 0.5 && (u32(down) & 1u) == 1u));
}
fn roundOne(bits : u32, share : u32) -> u32 {
  let sign = (bits >> 16u) & 0x8000u;
  let size = bits & 0x7fffffffu;
  if (size < 0x38800000u) {
    let count = bitcast<f32>(size) * ${2 ** 24};
    return sign | u32(${ROUND_FLOAT16[rounding].small});
  }
  return sign | min((size - 0x38000000u + ${ROUND_FLOAT16[rounding].normal}) >> 13u, 0x7bffu);
}`;

/**
 * WGSL of `fn roundPair(values : vec2<f32>, shares : vec2<u32>) -> u32`, with the bits of tensor/halves.ts: to the nearest, or by 16 random
 * bits a number.
 */
export const roundPair = (kind: HalfKind): string => `${roundOne(kind)}
fn roundPair(values : vec2<f32>, shares : vec2<u32>) -> u32 {
  let bits = bitcast<vec2<u32>>(values);
  return roundOne(bits.x, shares.x) | (roundOne(bits.y, shares.y) << 16u);
}`;

/**
 * WGSL that reads weights of a buffer named `buffer`, `array<weightType(format)>`, in float32: `fn weightAt(i : u32) -> f32` reads element i,
 * `fn weightPair(i : u32) -> vec2<f32>` elements 2i and 2i + 1, `fn weightFour(i : u32) -> vec4<f32>` elements 4i to 4i + 3. `name` begins
 * the functions' names, where a shader reads several buffers of one format.
 */
export function loadWeight(format: GpuFormat, buffer: string, name = "weight"): string {
  if (format === "float32")
    return `
fn ${name}At(i : u32) -> f32 { return ${buffer}[i]; }
fn ${name}Pair(i : u32) -> vec2<f32> { return vec2(${buffer}[2u * i], ${buffer}[2u * i + 1u]); }
fn ${name}Four(i : u32) -> vec4<f32> { return vec4(${name}Pair(2u * i), ${name}Pair(2u * i + 1u)); }`;
  return `
${UNPACK[format].replaceAll("unpack(", `${name}Unpack(`)}
fn ${name}At(i : u32) -> f32 { return ${name}Pair(i >> 1u)[i & 1u]; }
fn ${name}Pair(i : u32) -> vec2<f32> { return ${name}Unpack(${buffer}[i]); }
fn ${name}Four(i : u32) -> vec4<f32> { return vec4(${name}Pair(2u * i), ${name}Pair(2u * i + 1u)); }`;
}
