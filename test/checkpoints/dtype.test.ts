import { expect, test } from "vitest";
import { decodeBF16, decodeF16 } from "../../src/checkpoints/safetensors.ts";
import { encodeF16 } from "../../src/checkpoints/write.ts";

const everyHalf = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);

/** IEEE 754 binary16 by its definition. */
function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 0x3ff) / 1024;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15));
}

test("every float16 bit pattern has the value that its definition gives", () => {
  const values = new Float32Array(0x10000);
  decodeF16(everyHalf, values);
  expect(values).toEqual(Float32Array.from(everyHalf, halfValue));
});

test("every float16 number survives being decoded and encoded", () => {
  const values = new Float32Array(0x10000);
  const bits = new Uint16Array(0x10000);
  decodeF16(everyHalf, values);
  encodeF16(values, bits);
  const numbers = everyHalf.filter((half) => !Number.isNaN(halfValue(half)));
  expect(numbers.length).toBe(0x10000 - 2 * 1023);
  expect(numbers.filter((half) => bits[half] !== half)).toEqual(new Uint16Array());
  expect(Number.isNaN(halfValue(bits[0x7c01]!))).toBe(true);
});

test("a value between two float16 numbers goes to the nearer one and a tie to the even one", () => {
  for (let half = 0; half < 0x7bff; half++) {
    const low = halfValue(half);
    const gap = halfValue(half + 1) - low;
    const even = half % 2 === 0 ? half : half + 1;
    const bits = new Uint16Array(3);
    encodeF16(Float32Array.of(low + gap * 0.499, low + gap * 0.5, low + gap * 0.501), bits);
    expect([...bits]).toEqual([half, even, half + 1]);
  }
});

test("float16 turns into infinity from halfway above its largest number and keeps the sign of small values", () => {
  const bits = new Uint16Array(5);
  encodeF16(Float32Array.of(65519.99, 65520, -1e30, -1e-30, Number.NEGATIVE_INFINITY), bits);
  expect([...bits]).toEqual([0x7bff, 0x7c00, 0xfc00, 0x8000, 0xfc00]);
});

test("bfloat16 is the upper half of a float32", () => {
  const values = new Float32Array(5);
  decodeBF16(Uint16Array.of(0x3f80, 0xc049, 0x0001, 0x7f80, 0x8000), values);
  expect(values).toEqual(Float32Array.of(1, -3.140625, 2 ** -133, Number.POSITIVE_INFINITY, -0));
});
