import type { NoiseKey } from "../noise/key.ts";
import type { Halves } from "./format.ts";
import { plainNarrow, plainWiden } from "./plain.ts";
import { type HalvesModule, halvesModule } from "./wasm.ts";

let module: HalvesModule | undefined;

/** Writes the values from element `from` on, exactly, as many as `into` has. */
export function widen({ bits, format }: Halves, from: number, into: Float32Array): void {
  module ??= halvesModule() ?? { widen: plainWiden, narrow: plainNarrow };
  module.widen(bits.subarray(from, from + into.length), format, into);
}

/**
 * Rounds values into the elements from `from` on, a multiple of 128. The random bits of stochastic rounding are made from the key of
 * the z that was added, and are independent of it; without a key values are rounded to the nearest, ties to even.
 */
export function narrow(values: Float32Array, { bits, format, rounding }: Halves, from: number, key?: NoiseKey): void {
  module ??= halvesModule() ?? { widen: plainWiden, narrow: plainNarrow };
  const draw = key && rounding === "stochastic" ? { key, from } : undefined;
  module.narrow(values, format, bits.subarray(from, from + values.length), draw);
}

/** All values, in float32. */
export function widened(halves: Halves): Float32Array {
  const values = new Float32Array(halves.bits.length);
  widen(halves, 0, values);
  return values;
}
