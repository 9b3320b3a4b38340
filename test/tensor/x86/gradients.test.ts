import { beforeAll, describe, expect, test } from "vitest";
import type { AttentionSizes } from "../../../src/tensor/x86/rows.ts";
import { attentionOf, gelu, norm, sigmoid } from "./doubleRows.ts";
import { atLevel, isHere, needsLevel } from "./levels.ts";

const normals = (n: number, seed: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => {
    const [u, v] = [0.5 + 0.4999 * Math.sin(12.9898 * (i + 1) * seed), 78.233 * (i + 1) * (seed + 1)];
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(v);
  });

const STEP = 1 / 128;

/** The slope of Σ dy · f in each element of x, by differences of f, which computes in double precision. */
function slopes(x: Float32Array, dy: Float32Array, f: () => ArrayLike<number>): number[] {
  const sumOf = (values: ArrayLike<number>): number => dy.reduce((sum, change, i) => sum + change * values[i]!, 0);
  return Array.from(x, (old, i) => {
    const at = (value: number): number => {
      x[i] = value;
      const sum = sumOf(f());
      x[i] = old;
      return sum;
    };
    return (at(old + STEP) - at(old - STEP)) / (Math.fround(old + STEP) - Math.fround(old - STEP));
  });
}

function expectClose(found: Float32Array, expected: readonly number[]): void {
  expect(found.length).toBe(expected.length);
  const size = Math.max(...expected.map(Math.abs));
  expected.forEach((v, i) => expect(Math.abs(found[i]! - v)).toBeLessThan(2e-3 * size));
}

const ACTIVATIONS = {
  relu: (x: number) => Math.max(0, x),
  gelu,
  silu: (x: number) => x * sigmoid(x),
  gelu_new: (x: number) => x * sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)),
} as const;

const SEQUENCES: readonly AttentionSizes[] = [
  { lengths: [1, 9], keyLengths: [1, 9], heads: 2, keyHeads: 2, width: 5, causal: true },
  { lengths: [3, 2], keyLengths: [8, 19], heads: 4, keyHeads: 2, width: 3, causal: true },
  { lengths: [6], keyLengths: [18], heads: 2, keyHeads: 1, width: 17, causal: false },
];

describe.each(["avx2", "avx512"] as const)("at %s", (level) => {
  const here = test.skipIf(!isHere(level));
  if (!isHere(level)) test.skip(needsLevel(level), () => {});
  let gradients: typeof import("../../../src/tensor/x86/gradients.ts");
  beforeAll(async () => {
    if (isHere(level)) gradients = await atLevel(level, () => import("../../../src/tensor/x86/gradients.ts"));
  });

  here.each([1, 7, 16, 35])("the gradients of both norms are what differences give, %i wide", (width) => {
    const rows = 19;
    const [x, dy] = [normals(rows * width, 3), normals(rows * width, 4)];
    const [weight, bias] = [normals(width, 5), normals(width, 6)];
    for (const ofLayer of [true, false]) {
      const into = { dx: new Float32Array(x.length), dWeight: new Float32Array(width) };
      const dBias = new Float32Array(width);
      gradients.normGradient({ x, weight, dy, epsilon: 0.5 }, ofLayer ? { ...into, dBias } : into);
      const f = (): number[] => norm(x, weight, 0.5, ofLayer ? bias : undefined);
      if (!ofLayer || width > 1) expectClose(into.dx, slopes(x, dy, f));
      if (!ofLayer || width > 1) expectClose(into.dWeight, slopes(weight, dy, f));
      if (ofLayer) expectClose(dBias, slopes(bias, dy, f));
    }
  });

  here.each(Object.entries(ACTIVATIONS))("the gradient of an activation is what differences give: %s", (name, f) => {
    const x = normals(37, 3).map((v) => (Math.abs(v) < 0.05 ? 0.5 : v)); // away from ReLU's bend
    const [dy, dx] = [normals(37, 4), new Float32Array(37)];
    gradients.activationGradient(name as keyof typeof ACTIVATIONS, dy, x, dx);
    expectClose(
      dx,
      slopes(x, dy, () => Array.from(x, f)),
    );
  });

  here.each(SEQUENCES)("the gradient of attention is what differences give: %o", (sizes) => {
    const { lengths, keyLengths, heads, keyHeads, width } = sizes;
    const count = (each: readonly number[]): number => each.reduce((a, b) => a + b, 0);
    const [queries, keys] = [count(lengths) * heads * width, count(keyLengths) * keyHeads * width];
    const rows = { q: normals(queries, 3), k: normals(keys, 4), v: normals(keys, 5) };
    const dy = normals(queries, 6);
    const [dq, dk, dv] = [queries, keys, keys].map((size) => new Float32Array(size).fill(7));
    gradients.attentionGradient({ ...rows, dy }, { dq: dq!, dk: dk!, dv: dv! }, sizes);
    const f = (): Float64Array => attentionOf(rows, sizes);
    expectClose(dq!, slopes(rows.q, dy, f));
    expectClose(dk!, slopes(rows.k, dy, f));
    expectClose(dv!, slopes(rows.v, dy, f));
  });

  here("arrays that do not fit are refused", () => {
    const [x, short] = [new Float32Array(8), new Float32Array(7)];
    expect(() => gradients.activationGradient("relu", x, short, x)).toThrow("x has 7 elements");
    expect(() =>
      gradients.normGradient({ x, weight: new Float32Array(4), dy: x, epsilon: 1 }, { dx: short, dWeight: x }),
    ).toThrow("dx has 7 elements");
  });
});
