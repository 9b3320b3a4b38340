/** Bytes per element of each dtype that a safetensors file may name. */
export const BYTES_PER_ELEMENT: ReadonlyMap<string, number> = new Map([
  ["F64", 8],
  ["F32", 4],
  ["F16", 2],
  ["BF16", 2],
  ["F8_E4M3", 1],
  ["F8_E5M2", 1],
  ["I64", 8],
  ["I32", 4],
  ["I16", 2],
  ["I8", 1],
  ["U64", 8],
  ["U32", 4],
  ["U16", 2],
  ["U8", 1],
  ["BOOL", 1],
]);

let halfTable: Float32Array | undefined;

/** Writes the values of float16 bit patterns into `into`, exactly; both have the same length. */
export function decodeF16(source: Uint16Array, into: Float32Array): void {
  halfTable ??= makeHalfTable();
  const table = halfTable;
  for (let i = 0; i < source.length; i++) into[i] = table[source[i]!]!;
}

/** Writes the values of bfloat16 bit patterns into `into`, exactly; both have the same length. */
export function decodeBF16(source: Uint16Array, into: Float32Array): void {
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
  for (let i = 0; i < source.length; i++) bits[i] = source[i]! << 16;
}

/** Writes the float16 bit patterns nearest to the values of `source` into `into`: ties to even, infinity from 65,520 on. */
export function encodeF16(source: Float32Array, into: Uint16Array): void {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < bits.length; i++) into[i] = nearestHalf(bits[i]!);
}

/** Writes the bfloat16 bit patterns nearest to the values of `source` into `into`: ties to even. */
export function encodeBF16(source: Float32Array, into: Uint16Array): void {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < bits.length; i++) into[i] = nearestBF16(bits[i]!);
}

function nearestBF16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40; // NaN stays one
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function makeHalfTable(): Float32Array {
  const bits = new Uint32Array(0x10000);
  const values = new Float32Array(bits.buffer);
  for (let half = 0; half < 0x8000; half++) {
    const exponent = half >> 10;
    const mantissa = (half & 0x3ff) << 13;
    if (exponent === 0) values[half] = half * 2 ** -24;
    else bits[half] = ((exponent === 31 ? 255 : exponent + 112) << 23) | mantissa;
    bits[half | 0x8000] = bits[half]! | 0x80000000;
  }
  return values;
}

function nearestHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00; // NaN
  if (size >= 0x477ff000) return sign | 0x7c00; // 65,520 and above
  if (size >= 0x38800000) return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
  if (size < 0x33000000) return sign; // below half of the smallest subnormal
  return sign | nearestSubnormal(size);
}

function nearestSubnormal(size: number): number {
  const shift = 126 - (size >>> 23); // a subnormal counts units of 2^-24
  const mantissa = (size & 0x7fffff) | 0x800000;
  const down = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return rest > tie || (rest === tie && (down & 1) === 1) ? down + 1 : down;
}
