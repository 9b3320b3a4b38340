import { beforeAll, describe, expect, test } from "vitest";
import type { AttentionSizes } from "../../../src/tensor/x86/rows.ts";
import { attentionOf, gelu, logSum, norm, sigmoid } from "./doubleRows.ts";
import { atLevel, isHere, needsLevel } from "./levels.ts";

const normals = (n: number, seed: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => {
    const [u, v] = [0.5 + 0.4999 * Math.sin(12.9898 * (i + 1) * seed), 78.233 * (i + 1) * (seed + 1)];
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(v);
  });

const SENTINEL = 7;

/** Values that `write` gives for an array of n at an odd offset of a larger one, around which nothing may change. */
function written(n: number, write: (y: Float32Array) => void): Float32Array {
  const all = new Float32Array(n + 32).fill(SENTINEL);
  write(all.subarray(3, 3 + n));
  expect([...all.subarray(0, 3), ...all.subarray(3 + n)].every((v) => v === SENTINEL)).toBe(true);
  return all.slice(3, 3 + n);
}

/** The largest error of values, relative to `scale` or to each expected value. */
function errorOf(found: Float32Array, expected: ArrayLike<number>, scale?: number): number {
  expect(found.length).toBe(expected.length);
  const errors = Array.from(found, (v, i) =>
    v === expected[i] ? 0 : Math.abs(v - expected[i]!) / (scale ?? Math.abs(expected[i]!)),
  );
  return errors.every((e) => e >= 0) ? Math.max(...errors) : Number.NaN;
}

const ACTIVATIONS = {
  relu: (x: number) => Math.max(0, x),
  gelu,
  silu: (x: number) => x * sigmoid(x),
  gelu_new: (x: number) => x * sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)),
} as const;

/** Sequences by what is special about them. */
const SEQUENCES: Readonly<Record<string, AttentionSizes>> = {
  "of one token": { lengths: [1, 1], keyLengths: [1, 1], heads: 2, keyHeads: 2, width: 64, causal: true },
  "of odd lengths": { lengths: [63, 5, 17], keyLengths: [63, 5, 17], heads: 3, keyHeads: 3, width: 64, causal: true },
  "that see all keys": { lengths: [33, 40], keyLengths: [33, 40], heads: 2, keyHeads: 2, width: 16, causal: false },
  "with heads that share keys": {
    lengths: [29, 8],
    keyLengths: [29, 8],
    heads: 6,
    keyHeads: 2,
    width: 32,
    causal: true,
  },
  "with keys before the queries'": {
    lengths: [3, 1, 40],
    keyLengths: [10, 300, 170],
    heads: 4,
    keyHeads: 2,
    width: 24,
    causal: true,
  },
  "longer than the keys seen at once": {
    lengths: [291],
    keyLengths: [291],
    heads: 1,
    keyHeads: 1,
    width: 8,
    causal: true,
  },
  "with heads of an odd width": { lengths: [20], keyLengths: [21], heads: 2, keyHeads: 1, width: 37, causal: true },
  "with one empty": { lengths: [2, 0, 3], keyLengths: [2, 4, 3], heads: 1, keyHeads: 1, width: 5, causal: false },
};

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Random q, k and v of sequences. */
function drawAttention({
  lengths,
  keyLengths,
  heads,
  keyHeads,
  width,
}: AttentionSizes): Record<"q" | "k" | "v", Float32Array> {
  const [queries, keys] = [sum(lengths) * heads * width, sum(keyLengths) * keyHeads * width];
  return { q: normals(queries, 1), k: normals(keys, 2), v: normals(keys, 3) };
}

for (const level of ["avx2", "avx512"] as const)
  describe.skipIf(!isHere(level))(isHere(level) ? `at ${level}` : needsLevel(level), () => {
    let rows: typeof import("../../../src/tensor/x86/rows.ts");
    let library: typeof import("../../../src/tensor/x86/library.ts");
    beforeAll(async () => {
      [rows, library] = await atLevel(level, () =>
        Promise.all([import("../../../src/tensor/x86/rows.ts"), import("../../../src/tensor/x86/library.ts")]),
      );
    });

    test.each(Object.entries(ACTIVATIONS))("%s keeps its relative precision, in its tail too", (name, exact) => {
      const tolerance = name === "gelu_new" ? 2e-5 : 5e-7; // an exponent of 80 is rounded by 4e-6
      for (const n of [1, 15, 16, 17, 4099]) {
        const x = Float32Array.from({ length: n }, (_, i) => ((i + 0.5) / n - 0.5) * (n > 17 ? 24 : 4));
        const y = written(n, (y) => rows.activate(name as keyof typeof ACTIVATIONS, x, y));
        const normal = (v: number): number => (Math.abs(v) < 1e-36 ? 0 : v);
        expect(errorOf(y.map(normal), Array.from(x, exact).map(normal))).toBeLessThan(tolerance);
      }
    });

    test.each(Object.keys(ACTIVATIONS))("%s is 0 or x far from 0, and keeps NaN", (name) => {
      const x = Float32Array.of(-1e30, -200, -0, 0, 200, 1e30, Number.POSITIVE_INFINITY, Number.NaN);
      const y = written(x.length, (y) => rows.activate(name as keyof typeof ACTIVATIONS, x, y));
      expect(Array.from(y, (v) => v + 0)).toEqual([0, 0, 0, 0, 200, ...x.subarray(5)]);
    });

    test("sums and products of arrays round each element once, in place too", () => {
      for (const n of [0, 1, 17, 70_001]) {
        const [a, b] = [normals(n, 1), normals(n, 2)];
        expect(written(n, (y) => rows.combine("add", a, b, y))).toEqual(a.map((v, i) => v + b[i]!));
        rows.combine("multiply", a, b, b);
        expect(b).toEqual(normals(n, 2).map((v, i) => v * a[i]!));
      }
    });

    test.each([1, 5, 16, 20, 63, 768, 777, 20_000])("norms of rows %i wide are those of double precision", (width) => {
      const [x, weight, bias] = [normals(5 * width, 1).map((v) => 3 * v + 2), normals(width, 2), normals(width, 3)];
      const layer = written(x.length, (y) => rows.layerNorm({ x, weight, epsilon: 1e-5, y }, bias));
      expect(errorOf(layer, norm(x, weight, 1e-5, bias), 1)).toBeLessThan(4e-6);
      const rms = written(x.length, (y) => rows.rmsNorm({ x, weight, epsilon: 1e-6, y }));
      expect(errorOf(rms, norm(x, weight, 1e-6), 1)).toBeLessThan(4e-6);
    });

    test.each([1, 8, 13, 32])("pairs are turned by their row's angle, %i a head", (pairs) => {
      const [n, heads] = [7, 3];
      const [x, angles] = [normals(n * heads * 2 * pairs, 1), normals(n * pairs, 2)];
      const [cos, sin] = [angles.map(Math.cos), angles.map(Math.sin)];
      const y = written(x.length, (y) => rows.turnPairs(x, cos, sin, pairs, y));
      const expected = Array.from(x, (v, i) => {
        const [at, row] = [i % (2 * pairs), Math.floor(i / (heads * 2 * pairs))];
        const [c, s] = [cos[row * pairs + (at % pairs)]!, sin[row * pairs + (at % pairs)]!];
        return at < pairs ? v * c - x[i + pairs]! * s : v * c + x[i - pairs]! * s;
      });
      expect(errorOf(y, expected, 1)).toBeLessThan(4e-7);
    });

    test("the log-sum of rows is that of all their columns, seen a tile at a time, whatever their size", () => {
      const [n, vocabulary, stride] = [9, 1501, 640];
      const logits = normals(n * vocabulary, 1).map((v, i) => 40 * v + 1e4 * (Math.floor(i / vocabulary) % 3));
      logits[5] = Number.NEGATIVE_INFINITY;
      const found = rows.emptyLogSums(n);
      for (let from = 0; from < vocabulary; from += 611) {
        const tile = new Float32Array(n * stride).fill(1e9); // what lies between the rows is not theirs
        const to = Math.min(vocabulary, from + 611);
        for (let row = 0; row < n; row++)
          tile.set(logits.subarray(row * vocabulary + from, row * vocabulary + to), row * stride);
        rows.addToLogSums(found, tile.subarray(0, (n - 1) * stride + to - from), to - from, stride);
      }
      for (let row = 0; row < n; row++) {
        const exact = logSum(logits.subarray(row * vocabulary, (row + 1) * vocabulary));
        expect(Math.abs(found.tops[row]! + Math.log(found.sums[row]!) - exact)).toBeLessThan(1e-6);
      }
    });

    test("columns of -Infinity add nothing, before others and after, and NaN is kept", () => {
      const found = rows.emptyLogSums(2);
      const none = new Float32Array(40).fill(Number.NEGATIVE_INFINITY);
      rows.addToLogSums(found, none, 20);
      expect([...found.sums]).toEqual([0, 0]);
      rows.addToLogSums(found, new Float32Array(40).fill(1), 20);
      rows.addToLogSums(found, none, 20);
      expect([...found.tops, ...found.sums]).toEqual([1, 1, 20, 20]);
      rows.addToLogSums(found, new Float32Array(40).fill(Number.NaN, 30, 31), 20);
      expect(Array.from(found.sums, Number.isNaN)).toEqual([false, true]);
    });

    test.each(Object.entries(SEQUENCES))("attention of sequences %s is that of double precision", (_, sizes) => {
      const given = drawAttention(sizes);
      const y = written(given.q.length, (y) => rows.attend({ ...given, y }, sizes));
      expect(errorOf(y, attentionOf(given, sizes), 1)).toBeLessThan(3e-6);
    });

    test("attention stands scores of thousands, which are exact here, and keys whose scores are -Infinity", () => {
      const sizes: AttentionSizes = {
        lengths: [30],
        keyLengths: [180],
        heads: 1,
        keyHeads: 1,
        width: 16,
        causal: true,
      };
      const { q, k, v } = drawAttention(sizes);
      const given = { q: q.map((v) => 8 * Math.round(16 * v)), k: k.map((v) => Math.round(16 * v)), v };
      for (let row = 0; row < 30; row++) given.q[16 * row] = 1; // so that a key's first element can decide alone
      for (let row = 0; row < 140; row++) given.k[16 * row] = Number.NEGATIVE_INFINITY; // more than are seen at once
      const y = written(q.length, (y) => rows.attend({ ...given, y }, sizes));
      expect(errorOf(y, attentionOf(given, sizes), 1)).toBeLessThan(3e-6);
    });

    test("the number of threads changes no bit of attention or norms", () => {
      const sizes: AttentionSizes = {
        lengths: [150, 99],
        keyLengths: [150, 99],
        heads: 4,
        keyHeads: 2,
        width: 64,
        causal: true,
      };
      const given = drawAttention(sizes);
      const weight = normals(given.q.length / 249, 2);
      const results = [1, 2, 5].map((threads) => {
        library.setLibraryThreads(threads);
        const y = written(given.q.length, (y) => rows.attend({ ...given, y }, sizes));
        rows.rmsNorm({ x: y, weight, epsilon: 0, y });
        return y;
      });
      expect(results[1]).toEqual(results[0]);
      expect(results[2]).toEqual(results[0]);
    });

    test("sizes that do not fit together are refused", () => {
      const sizes: AttentionSizes = { lengths: [2], keyLengths: [2], heads: 3, keyHeads: 3, width: 4, causal: true };
      const given = { ...drawAttention(sizes), y: new Float32Array(24) };
      const some = (n: number): Float32Array => new Float32Array(n);
      expect(() => rows.attend({ ...given, y: some(23) }, sizes)).toThrow("y has 23 elements where 24 are expected");
      for (const wrong of [
        { keyHeads: 2 },
        { lengths: [3] },
        { lengths: [-2] },
        { keyLengths: [1] },
        { heads: 6, width: 2 },
      ])
        expect(() => rows.attend(given, { ...sizes, ...wrong })).toThrow("refused");
      expect(() => rows.layerNorm({ x: some(7), weight: some(2), epsilon: 0, y: some(7) }, some(2))).toThrow("7");
      expect(() => rows.turnPairs(some(12), some(4), some(4), 2, some(12))).toThrow("refused");
      expect(() => rows.addToLogSums(rows.emptyLogSums(2), some(9), 5)).toThrow("9 elements");
      expect(() => rows.addToLogSums(rows.emptyLogSums(2), some(9), 5, 4)).toThrow("refused");
    });
  });
