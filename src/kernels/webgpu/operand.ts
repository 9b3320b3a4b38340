import type * as tf from "@tensorflow/tfjs-core";
import { formatOf, type GpuFormat, unpackPair } from "../../tensor/webgpu/halves.ts";

/** How the matrix of a product lies in its buffer. */
export interface Operand {
  readonly format: GpuFormat;
  /** Whether the buffer's lines run across the products: [inner, rows], not [rows, inner]. */
  readonly isTurned: boolean;
  /** Whether its lines are whole groups of four numbers, which are then read at once. */
  readonly isWide: boolean;
}

/** Whether lines of so many numbers are read and written four numbers at a time. */
export const isWide = (width: number): boolean => width % 4 === 0;

/** A matrix, as a product is to read it. */
export function findOperand(tensor: tf.TensorInfo, isTurned = false): Operand {
  return { format: formatOf(tensor), isTurned, isWide: isWide(tensor.shape[1]!) };
}

/** Tells an operand's variant of a shader from all others. */
export const nameOperand = ({ format, isTurned, isWide }: Operand): string =>
  `${format}${isTurned ? " turned" : ""}${isWide ? " wide" : ""}`;

/** The WGSL types of a buffer's elements, for lines that are wide and that are not. */
const TYPES = { float32: ["vec4<f32>", "f32"], float16: ["vec2<u32>", "u32"], bfloat16: ["vec2<u32>", "u32"] } as const;

/** WGSL's type of the elements of an operand's buffer. */
export const elementType = ({ format, isWide }: Operand): string => TYPES[format][isWide ? 0 : 1];

/**
 * WGSL that declares the buffer `name` and `fn NAMEFour(line : u32, at : u32) -> vec4<f32>`: four numbers of a line, the first of which is a
 * multiple of four; zeros beyond the buffer's `lines` and `width`, which are expressions. There
 * are no branches, which some drivers are slow to compile.
 */
export function declareOperand(name: string, binding: number, operand: Operand, size: Size): string {
  return `
@group(0) @binding(${binding}) var<storage, read> ${name} : array<${elementType(operand)}>;
${operand.isWide ? readWide(name, operand, size) : readNarrow(name, operand, size)}`;
}

/** How many lines an operand's buffer has, and how wide they are, as expressions of WGSL. */
export interface Size {
  readonly lines: string;
  readonly width: string;
}

function readWide(name: string, { format }: Operand, { lines, width }: Size): string {
  const value = format === "float32" ? "found" : `vec4(${name}Unpack(found.x), ${name}Unpack(found.y))`;
  return `${unpack(name, format)}
fn ${name}Four(line : u32, at : u32) -> vec4<f32> {
  let inside = line < ${lines} && at < ${width};
  let found = ${name}[select(0u, line * (${width} / 4u) + at / 4u, inside)];
  return select(vec4<f32>(), ${value}, inside);
}`;
}

function readNarrow(name: string, { format }: Operand, { lines, width }: Size): string {
  const value = format === "float32" ? `${name}[i]` : `${name}Unpack(${name}[i >> 1u])[i & 1u]`;
  return `${unpack(name, format)}
fn ${name}One(line : u32, at : u32) -> f32 {
  let inside = line < ${lines} && at < ${width};
  let i = select(0u, line * ${width} + at, inside);
  return select(0.0, ${value}, inside);
}
fn ${name}Four(line : u32, at : u32) -> vec4<f32> {
  return vec4(${name}One(line, at), ${name}One(line, at + 1u), ${name}One(line, at + 2u), ${name}One(line, at + 3u));
}`;
}

const unpack = (name: string, format: GpuFormat): string =>
  format === "float32" ? "" : unpackPair(format).replaceAll("unpack(", `${name}Unpack(`);
