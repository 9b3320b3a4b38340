/** Numbers of 16 bits: IEEE's half precision, and float32 without its lower half. */
export type HalfFormat = "float16" | "bfloat16";

/** What becomes of a value between two numbers of 16 bits: the nearer one, or either, drawn so that the value is the mean. */
export type Rounding = "nearest" | "stochastic";

/** How weights are kept in 16 bits: in which numbers, and how what is written to them is rounded. */
export interface HalfKind {
  readonly format: HalfFormat;
  readonly rounding: Rounding;
}

/** Weights kept in 16 bits. */
export interface Halves extends HalfKind {
  readonly bits: Uint16Array;
}

/** A weight's values: in float32, or in 16 bits. */
export type Source = Float32Array | Halves;

/** Whether values are kept in 16 bits. */
export function isHalves(source: Source): source is Halves {
  return "bits" in source;
}

/** How many values there are. */
export function countValues(source: Source): number {
  return isHalves(source) ? source.bits.length : source.length;
}
