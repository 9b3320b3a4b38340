import { describe, expect, test } from "vitest";
import { noiseKey } from "../../../src/tensor/noise/key.ts";
import { addRademacher } from "../../../src/tensor/noise/plain.ts";
import { correlation, differing, hash, mean } from "./statistics.ts";

const KEY = { k0: 123, k1: 456, stream: 7 };
const N = 2 ** 20;
const z = signs(N);

function signs(length: number, key = KEY, from = 0): Float32Array {
  const out = new Float32Array(length);
  addRademacher(out, 1, key, from);
  return out;
}

describe("rademacher noise", () => {
  test("has the bits of a separate implementation in Python", () => {
    expect(hash(z.subarray(0, 2 ** 16))).toBe("89509dc5");
  });

  test("is +1 or -1 with equal chances", () => {
    expect(new Set(z)).toEqual(new Set([1, -1]));
    expect(Math.abs(mean(z, (x) => x)) * Math.sqrt(N)).toBeLessThan(4);
  });

  test("has no correlation between neighbouring elements, names, steps and seeds", () => {
    const drawn = (seed: number, step: number, name: string): Float32Array =>
      signs(2 ** 16, noiseKey(seed, step, name));
    const base = drawn(1, 1, "layers.0.weight");
    const others = [
      drawn(1, 1, "layers.1.weight"),
      drawn(1, 2, "layers.0.weight"),
      drawn(2, 1, "layers.0.weight"),
      drawn(2, 0, "layers.0.weight"),
      ...[1, 2, 16, 512, 2048].map((lag) => Float32Array.from({ length: base.length }, (_, i) => base[i + lag] ?? 0)),
    ];
    for (const other of others) expect(Math.abs(correlation(base, other))).toBeLessThan(4);
    expect(correlation(base, base)).toBeGreaterThan(100);
  });

  test.each([
    [0, 1],
    [511, 2],
    [2047, 3],
    [2048, 2048],
    [777_777, 5000],
  ])("of the elements from %d on, %d of them, made alone equals that part of the whole", (from, length) => {
    expect(differing(signs(length, KEY, from), z.slice(from, from + length))).toBe(0);
  });

  test("is added in float32, after theta is multiplied by keep, to the last element", () => {
    const { fround } = Math;
    const before = Float32Array.from({ length: 5000 }, (_, i) => Math.sin(i));
    const theta = before.slice();
    addRademacher(theta, 1e-3, KEY, 70, 0.99);
    expect(
      differing(
        theta,
        before.map((x, i) => fround(x * fround(0.99)) + fround(1e-3) * z[70 + i]!),
      ),
    ).toBe(0);
  });
});
