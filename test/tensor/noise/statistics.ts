/** FNV-1a over the 32-bit patterns, as eight hexadecimal digits. */
export function hash(values: Float32Array): string {
  const state = bits(values).reduce((h, word) => Math.imul(h ^ word, 16777619), 2166136261 | 0);
  return (state >>> 0).toString(16).padStart(8, "0");
}

/** The bit patterns of a float array: equal only where -0 and 0, too, are the same. */
export function bits(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/** How many elements of two arrays have different bits. */
export function differing(a: Float32Array, b: Float32Array): number {
  const [x, y] = [bits(a), bits(b)];
  let count = Math.abs(x.length - y.length);
  for (let i = 0; i < Math.min(x.length, y.length); i++) if (x[i] !== y[i]) count++;
  return count;
}

/** The mean of `value` over the elements. */
export function mean(z: Float32Array, value: (z: number, i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < z.length; i++) sum += value(z[i]!, i);
  return sum / z.length;
}

/** The mean product of two arrays of unit variance times the root of their length: about N(0, 1) where they are independent. */
export function correlation(a: Float32Array, b: Float32Array): number {
  return mean(a, (z, i) => z * b[i]!) * Math.sqrt(a.length);
}
