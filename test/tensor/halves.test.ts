import { describe, expect, test, vi } from "vitest";
import { decodeBF16, decodeF16 } from "../../src/checkpoints/safetensors.ts";
import { encodeF16 } from "../../src/checkpoints/write.ts";
import { narrow, plainNarrow, plainWiden, widen, widenAll } from "../../src/tensor/halves.ts";
import type { HalfFormat, Halves, Rounding } from "../../src/tensor/source.ts";
import { sweepMany } from "./noise/sweeps.ts";

const FORMATS = ["float16", "bfloat16"] as const;
const KEY = { k0: 0xdeadbeef, k1: 0x80000001, stream: 0xffffffff };
const empty = (size: number, format: HalfFormat, rounding: Rounding): Halves => ({
  bits: new Uint16Array(size),
  format,
  rounding,
});

/** Values of every size that a weight may have, the smallest numbers' last places and ties among them. */
const VALUES = Float32Array.from({ length: 40_001 }, (_, i) =>
  i % 3 === 0 ? (i - 20_000) * 2 ** -25 : Math.sin(i) * 2 ** ((i % 40) - 24),
);

describe.each(FORMATS)("numbers in %s", (format) => {
  test("are widenAll as checkpoints are, every finite one", () => {
    const bits = Uint16Array.from({ length: 0x10000 }, (_, i) => i).filter((h) => (h & 0x7c00) !== 0x7c00);
    const [expected, plain] = [new Float32Array(bits.length), new Float32Array(bits.length)];
    (format === "float16" ? decodeF16 : decodeBF16)(bits, expected);
    plainWiden(bits, format, plain);
    expect(Buffer.compare(Buffer.from(plain.buffer), Buffer.from(expected.buffer))).toBe(0);
    const fast = widenAll({ bits, format, rounding: "nearest" });
    expect(Buffer.compare(Buffer.from(fast.buffer), Buffer.from(expected.buffer))).toBe(0);
  });

  test("are the nearest ones, ties to even", () => {
    const halves = empty(VALUES.length, format, "nearest");
    narrow(VALUES, halves, 0);
    const plain = new Uint16Array(VALUES.length);
    plainNarrow(VALUES, format, plain);
    expect(halves.bits).toEqual(plain);
    if (format === "float16") {
      const expected = new Uint16Array(VALUES.length);
      encodeF16(VALUES, expected);
      expect(halves.bits).toEqual(expected);
    }
    const places = format === "float16" ? 11 : 8;
    widenAll(halves).forEach((half, i) => {
      const error = Math.abs(half - VALUES[i]!);
      expect(error).toBeLessThanOrEqual(Math.max(Math.abs(VALUES[i]!) * 2 ** -places, 2 ** -25));
    });
  });

  test.each(["nearest", "stochastic"] as const)(
    "beyond the largest, %s, are the largest, and do not wrap around",
    (kind) => {
      const values = Float32Array.of(65504, 65519, 65535, 65536, 1e6, -1e6, 3e38, -65520);
      const draw = kind === "stochastic" ? { key: KEY, from: 0 } : undefined;
      const [fast, plain] = [empty(values.length, "float16", kind), new Uint16Array(values.length)];
      narrow(values, fast, 0, draw?.key);
      plainNarrow(values, "float16", plain, draw);
      expect(fast.bits).toEqual(plain);
      expect([...widenAll(fast)]).toEqual([65504, 65504, 65504, 65504, 65504, -65504, 65504, -65504]);
    },
  );

  test("are drawn with the bits of the plain twin, from any group on", () => {
    const whole = empty(VALUES.length, format, "stochastic");
    narrow(VALUES, whole, 0, KEY);
    const plain = new Uint16Array(VALUES.length);
    plainNarrow(VALUES, format, plain, { key: KEY, from: 0 });
    expect(whole.bits).toEqual(plain);
    const parts = empty(VALUES.length, format, "stochastic");
    narrow(VALUES.subarray(0, 17_408), parts, 0, KEY);
    narrow(VALUES.subarray(17_408), parts, 17_408, KEY);
    expect(parts.bits).toEqual(whole.bits);
  });

  test("are drawn so that the value is their mean, where the nearest one swallows a small change", () => {
    const size = 2 ** 16;
    const [value, change] = [0.02, 0.02 * 2 ** -13];
    const halves = empty(size, format, "stochastic");
    narrow(new Float32Array(size).fill(value), halves, 0);
    const before = widenAll(halves)[0]!;
    const moved = new Float32Array(size).fill(before + change);
    narrow(moved, halves, 0);
    expect(widenAll(halves).every((v) => v === before)).toBe(true);
    narrow(moved, halves, 0, KEY);
    const values = widenAll(halves);
    const mean = values.reduce((a, b) => a + b, 0) / size;
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / size);
    expect(new Set(values).size).toBe(2);
    expect(Math.abs(mean - moved[0]!)).toBeLessThan((4 * deviation) / Math.sqrt(size));
  });

  test("are swept as float32 is, and then rounded", () => {
    const halves = empty(VALUES.length, format, "stochastic");
    narrow(VALUES, halves, 0);
    const values = widenAll(halves);
    sweepMany([{ theta: values, key: KEY }], 1e-3, "gaussian");
    const expected = empty(VALUES.length, format, "stochastic");
    narrow(values, expected, 0, KEY);
    sweepMany([{ theta: halves, key: KEY }], 1e-3, "gaussian");
    expect(halves.bits).toEqual(expected.bits);
  });

  test("are the same where there is no WebAssembly", async () => {
    vi.stubGlobal("WebAssembly", undefined);
    vi.resetModules();
    const slow = await import("../../src/tensor/halves.ts");
    const [here, there] = [empty(300, format, "stochastic"), empty(300, format, "stochastic")];
    slow.narrow(VALUES.subarray(0, 300), there, 128, KEY);
    vi.unstubAllGlobals();
    narrow(VALUES.subarray(0, 300), here, 128, KEY);
    expect(there.bits).toEqual(here.bits);
    const [a, b] = [new Float32Array(100), new Float32Array(100)];
    slow.widen(there, 7, a);
    widen(here, 7, b);
    expect(a).toEqual(b);
  });
});
