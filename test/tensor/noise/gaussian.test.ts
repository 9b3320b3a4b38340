import { describe, expect, test } from "vitest";
import { noiseKey, philox, type Words } from "../../../src/tensor/noise/key.ts";
import { addGaussian } from "../../../src/tensor/noise/plain.ts";
import { correlation, differing, hash, mean } from "./statistics.ts";

const KEY = { k0: 123, k1: 456, stream: 7 };
const N = 2 ** 20;
const z = normals(N);

function normals(length: number, key = KEY, from = 0): Float32Array {
  const out = new Float32Array(length);
  addGaussian(out, 1, key, from);
  return out;
}

describe("gaussian noise", () => {
  test("has the bits of an independent implementation in C", () => {
    expect(hash(z)).toBe("409b0383");
  });

  test("is Box-Muller of Philox's words, in the layout of 16 lanes", () => {
    for (const element of [0, 1, 15, 16, 63, 64, 100_003, N - 1]) {
      const [group, normal, lane] = [element >> 6, (element >> 4) & 3, element & 15];
      const words: Words = [16 * group + lane, 0, KEY.stream, 0];
      philox(words, KEY.k0, KEY.k1);
      const [x, y] = [words[normal & 2]!, words[(normal & 2) + 1]!];
      const r = Math.sqrt(-2 * Math.log(((x >>> 9) + 0.5) / 2 ** 23));
      const angle = (2 * Math.PI * (y >>> 8)) / 2 ** 24;
      expect(z[element]).toBeCloseTo(r * (normal & 1 ? Math.sin(angle) : Math.cos(angle)), 5);
    }
  });

  test("has the moments and the tails of N(0, 1)", () => {
    const sigma = 1 / Math.sqrt(N);
    const [m1, m2, m3, m4] = [1, 2, 3, 4].map((power) => mean(z, (x) => x ** power)) as [
      number,
      number,
      number,
      number,
    ];
    expect(Math.abs(m1)).toBeLessThan(4 * sigma);
    expect(Math.abs(m2 - 1)).toBeLessThan(4 * Math.sqrt(2) * sigma);
    expect(Math.abs(m3)).toBeLessThan(4 * Math.sqrt(15) * sigma);
    expect(Math.abs(m4 - 3)).toBeLessThan(4 * Math.sqrt(96) * sigma);
    for (const [beyond, share] of [
      [1, 0.3173105],
      [2, 0.0455003],
      [3, 0.0026998],
      [4, 6.334e-5],
    ] as const) {
      expect(Math.abs(mean(z, (x) => Number(Math.abs(x) > beyond)) - share)).toBeLessThan(4 * Math.sqrt(share) * sigma);
    }
  });

  test("has no correlation between neighbouring elements, names, steps and seeds, nor between their squares", () => {
    const drawn = (seed: number, step: number, name: string): Float32Array =>
      normals(2 ** 15, noiseKey(seed, step, name));
    const base = drawn(1, 1, "layers.0.weight");
    const others = [
      drawn(1, 1, "layers.1.weight"),
      drawn(1, 1, "layers.0.bias"),
      drawn(1, 2, "layers.0.weight"),
      drawn(2, 1, "layers.0.weight"),
      drawn(2, 0, "layers.0.weight"),
      ...[1, 2, 4, 16, 32, 64].map((lag) => Float32Array.from({ length: base.length }, (_, i) => base[i + lag] ?? 0)),
    ];
    const spread = (a: Float32Array): Float32Array => a.map((x) => (x * x - 1) / Math.SQRT2);
    for (const other of others) {
      expect(Math.abs(correlation(base, other))).toBeLessThan(4);
      expect(Math.abs(correlation(spread(base), spread(other)))).toBeLessThan(4);
    }
    expect(correlation(base, base)).toBeGreaterThan(100);
  });

  test.each([
    [0, 1],
    [5, 3],
    [63, 2],
    [64, 64],
    [100, 1000],
    [777_777, 129],
  ])("of the elements from %d on, %d of them, made alone equals that part of the whole", (from, length) => {
    expect(differing(normals(length, KEY, from), z.slice(from, from + length))).toBe(0);
  });

  test("is added in float32, after theta is multiplied by keep, to the last element", () => {
    const { fround } = Math;
    const before = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i));
    const [plain, decayed] = [before.slice(), before.slice()];
    addGaussian(plain, 1e-3, KEY, 70);
    addGaussian(decayed, -0.1, KEY, 70, 0.99);
    const noise = z.subarray(70);
    expect(
      differing(
        plain,
        before.map((x, i) => x + fround(fround(1e-3) * noise[i]!)),
      ),
    ).toBe(0);
    expect(
      differing(
        decayed,
        before.map((x, i) => fround(x * fround(0.99)) + fround(fround(-0.1) * noise[i]!)),
      ),
    ).toBe(0);
  });
});
