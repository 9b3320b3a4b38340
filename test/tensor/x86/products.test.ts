import seedrandom from "seedrandom";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { narrow, widenAll } from "../../../src/tensor/halves.ts";
import { poolBytes } from "../../../src/tensor/native/pool.ts";
import type { Distribution } from "../../../src/tensor/noise/key.ts";
import { movePlainly } from "../../../src/tensor/noise/plain.ts";
import type { Both } from "../../../src/tensor/pair.ts";
import { PRODUCTS, type Products } from "../../../src/tensor/products.ts";
import { isHalves, type Source } from "../../../src/tensor/source.ts";
import type { Matrix, Operands } from "../../../src/tensor/x86/products.ts";
import { differenceError, errorOf, exactProduct, turned } from "./exactProducts.ts";
import { atLevel, COMPILED, isHere, needsLevel } from "./levels.ts";

const SIDES = ["plus", "minus"] as const;
const KEY = { k0: 0x12345678, k1: 0x9abcdef0, stream: 77 };
const NOISE = { key: KEY, law: "gaussian", eps: 1e-2 } as const;

/** Reproducible numbers in [-1, 1), drawn independently. */
const numbers = (n: number, seed: number): Float32Array => {
  const draw = seedrandom(`${seed}`);
  return Float32Array.from({ length: n }, () => 2 * draw() - 1);
};

/** Values at an odd place of a larger array: nothing is aligned. */
const shifted = (values: Float32Array): Float32Array => {
  const all = new Float32Array(values.length + 3);
  all.set(values, 3);
  return all.subarray(3);
};

/** Both sides of x: near each other, as activations of the two places are. */
const bothX = (size: number): Both<Float32Array> => {
  const plus = numbers(size, 1);
  const change = numbers(size, 2);
  return { plus: shifted(plus), minus: shifted(plus.map((v, i) => v + 0.02 * change[i]!)) };
};

function sourceOf(values: Float32Array, format: "float32" | "bfloat16" | "float16"): Source {
  if (format === "float32") return values;
  const halves = { bits: new Uint16Array(values.length), format, rounding: "nearest" } as const;
  narrow(values, halves, 0);
  return halves;
}

/** Rows in the middle of a tensor that is wider and longer. */
const matrixOf = (rows: number, columns: number, format: "float32" | "bfloat16" | "float16"): Matrix => {
  const [first, stride] = [192, columns + 64];
  const source = sourceOf(numbers(first + rows * stride, 3), format);
  return { source, first, rows, columns, stride };
};

/** The rows of W + eps z and W - eps z, formed by plain.ts; W twice where there is no noise. */
function bothSides({ source, first, rows, columns, stride, noise }: Matrix): Both<Float32Array> {
  const values = isHalves(source) ? widenAll(source) : source;
  const sides = { plus: values.slice(), minus: values.slice() };
  if (noise) {
    const moves = [{ key: noise.key, scale: noise.eps, keep: 1 }];
    movePlainly({ theta: values, from: 0, to: values.length, offset: 0, moves, law: noise.law, sides });
  }
  const cut = (all: Float32Array): Float32Array =>
    Float32Array.from(
      { length: rows * columns },
      (_, i) => all[first + Math.floor(i / columns) * stride + (i % columns)]!,
    );
  return { plus: cut(sides.plus), minus: cut(sides.minus) };
}

/** What each kind of product may lose: of a side, as a share of the norms; of the difference of the sides. */
const ALLOWED: Readonly<Record<Products, { side: number; difference: number }>> = {
  float32: { side: 1e-6, difference: 1e-4 },
  bf16x3: { side: 1e-5, difference: 1e-3 },
  bf16: { side: 2 ** -8, difference: Number.POSITIVE_INFINITY },
  difference: { side: 2 ** -8, difference: 0.005 },
};

/** One side alone has no difference: it is done at float32's accuracy, or nearly. */
const oneSide = (kind: Products): number => ALLOWED[kind === "difference" ? "bf16x3" : kind].side;

const FORMATS = ["float32", "bfloat16", "float16"] as const;
const LAWS: readonly (Distribution | "none")[] = ["gaussian", "rademacher", "none"];

/** Rows and columns that fill no block, and more columns than are summed at once. */
const [M, N, K] = [29, 45, 1088];

for (const level of COMPILED)
  describe.skipIf(!isHere(level))(`products ${needsLevel(level)}`, () => {
    let products: typeof import("../../../src/tensor/x86/products.ts");
    let library: typeof import("../../../src/tensor/x86/library.ts");
    beforeAll(async () => {
      [products, library] = await atLevel(level, () =>
        Promise.all([import("../../../src/tensor/x86/products.ts"), import("../../../src/tensor/x86/library.ts")]),
      );
    });
    afterEach(() => library.setLibraryThreads(2));

    const multiplySides = (kind: Products, matrix: Matrix, x: Both<Float32Array>): Both<Float32Array> => {
      const m = x.plus.length / matrix.columns;
      const y = { plus: shifted(new Float32Array(m * matrix.rows)), minus: shifted(new Float32Array(m * matrix.rows)) };
      const sides = { plus: { x: x.plus, y: y.plus }, minus: { x: x.minus, y: y.minus } };
      products.multiplyBoth(kind, m, matrix, sides);
      return y;
    };

    describe.each(FORMATS)("of a weight in %s", (format) => {
      test.each(LAWS)("with noise of law %s are those of float64 on both sides", (law) => {
        const still = matrixOf(N, K, format);
        const matrix = law === "none" ? still : { ...still, noise: { ...NOISE, law } };
        const x = bothX(M * K);
        const w = bothSides(matrix);
        const exact = { plus: exactProduct(x.plus, w.plus, K), minus: exactProduct(x.minus, w.minus, K) };
        for (const kind of PRODUCTS) {
          const found = multiplySides(kind, matrix, x);
          for (const side of SIDES)
            expect(errorOf(found[side], exact[side].y, exact[side].norms)).toBeLessThan(ALLOWED[kind].side);
          const wanted = { plus: exact.plus.y, minus: exact.minus.y };
          expect(differenceError(found, wanted)).toBeLessThan(ALLOWED[kind].difference);
        }
      });

      test.each([1, 2, 3, 4, 5, 40])("at one place are those of float64 for %i rows", (m) => {
        for (const law of LAWS) {
          const still = matrixOf(N, K, format);
          const matrix = law === "none" ? still : { ...still, noise: { ...NOISE, law } };
          const x = bothX(m * K).plus;
          const { y, norms } = exactProduct(x, bothSides(matrix).plus, K);
          for (const kind of PRODUCTS) {
            const found = shifted(new Float32Array(m * N));
            products.multiply(kind, m, matrix, { x, y: found });
            expect(errorOf(found, y, norms)).toBeLessThan(oneSide(kind));
          }
        }
      });
    });

    test.each(["gaussian", "rademacher"] as const)("with %s noise within a mask are those of float64", (law) => {
      const mask = Uint32Array.from({ length: 64 * 60 }, (_, i) => (i * 0x9e3779b9) >>> 0);
      const matrix = { ...matrixOf(N, K, "float32"), noise: { ...NOISE, key: { ...KEY, mask }, law } };
      const [x, w] = [bothX(M * K), bothSides(matrix)];
      const found = multiplySides("float32", matrix, x);
      for (const side of SIDES) {
        const { y, norms } = exactProduct(x[side], w[side], K);
        expect(errorOf(found[side], y, norms)).toBeLessThan(ALLOWED.float32.side);
      }
      const still = w.plus.filter((value, i) => value === w.minus[i]).length / w.plus.length;
      expect(still).toBeGreaterThan(0.4);
      expect(still).toBeLessThan(0.6);
    });

    test.each([3, M])("of %i rows are followed by bias, residual and activation, and touch nothing else", (m) => {
      const matrix = matrixOf(N, K, "float32");
      const [x, bias, residual] = [bothX(m * K).plus, shifted(numbers(N, 4)), shifted(numbers(m * N, 5))];
      const { y, norms } = exactProduct(x, bothSides(matrix).plus, K);
      const sums = y.map((v, i) => v + bias[i % N]! + residual[i]!);
      const wanted = {
        none: sums,
        relu: sums.map((v) => Math.max(v, 0)),
        silu: sums.map((v) => v / (1 + Math.exp(-v))),
      };
      for (const [activation, expected] of Object.entries(wanted)) {
        const around = new Float32Array(m * N + 32).fill(7);
        const found = around.subarray(5, 5 + m * N);
        const then = activation === "none" ? undefined : (activation as keyof typeof wanted & "relu");
        products.multiply("float32", m, matrix, { x, bias, residual, y: found }, then);
        expect(errorOf(found, expected, norms)).toBeLessThan(2e-6);
        expect([...around.subarray(0, 5), ...around.subarray(5 + m * N)].every((v) => v === 7)).toBe(true);
      }
    });

    test("add to what y has where it is its own residual, and each side has its own bias", () => {
      const matrix = { ...matrixOf(N, K, "float32"), noise: NOISE };
      const x = bothX(M * K);
      const plain = multiplySides("float32", matrix, x);
      const operands = (side: "plus" | "minus", seed: number): Required<Operands> => {
        const y = numbers(M * N, seed);
        return { x: x[side], bias: numbers(N, seed + 1), residual: y, y };
      };
      const sides = { plus: operands("plus", 6), minus: operands("minus", 8) };
      products.multiplyBoth("float32", M, matrix, sides);
      for (const [side, seed] of [
        ["plus", 6],
        ["minus", 8],
      ] as const) {
        const [before, bias] = [numbers(M * N, seed), numbers(N, seed + 1)];
        const wanted = plain[side].map((v, i) => v + bias[i % N]! + before[i]!);
        expect(errorOf(sides[side].y, wanted, new Float32Array(M * N).fill(1))).toBeLessThan(1e-4);
      }
    });

    test("have the same bits on one thread, on two and on more than there are parts", () => {
      const matrix = { ...matrixOf(200, 128, "bfloat16"), noise: NOISE };
      const x = bothX(50 * 128);
      for (const kind of PRODUCTS) {
        const found = [1, 2, 9].map((threads) => {
          library.setLibraryThreads(threads);
          return multiplySides(kind, matrix, x);
        });
        expect(found[1]).toEqual(found[0]);
        expect(found[2]).toEqual(found[0]);
      }
    });

    test.each(FORMATS)("backpropagate to the input of a weight in %s as float64 does", (format) => {
      const matrix = matrixOf(N, 128, format);
      const dy = shifted(numbers(M * N, 9));
      const exact = exactProduct(dy, turned(bothSides(matrix).plus, 128), N);
      for (const kind of PRODUCTS) {
        const dx = shifted(new Float32Array(M * 128));
        products.inputGradient(kind, M, matrix, { dy, dx });
        expect(errorOf(dx, exact.y, exact.norms)).toBeLessThan(oneSide(kind));
      }
    });

    test("backpropagate to the weight as float64 does, for more rows than are summed at once", () => {
      const [m, columns] = [1061, 64];
      const [dy, x] = [shifted(numbers(m * N, 9)), shifted(numbers(m * columns, 1))];
      const exact = exactProduct(turned(dy, N), turned(x, columns), m);
      for (const kind of PRODUCTS) {
        const dWeight = shifted(new Float32Array(N * columns));
        products.weightGradient(kind, m, [N, columns], { dy, x, dWeight });
        expect(errorOf(dWeight, exact.y, exact.norms)).toBeLessThan(oneSide(kind));
      }
    });

    test("take more rows than are packed at once", () => {
      const [m, n, k] = [4109, 7, 64];
      const matrix = { ...matrixOf(n, k, "float32"), noise: NOISE };
      const x = bothX(m * k);
      const found = multiplySides("float32", matrix, x);
      for (const side of SIDES) {
        const { y, norms } = exactProduct(x[side], bothSides(matrix)[side], k);
        expect(errorOf(found[side], y, norms)).toBeLessThan(1e-6);
      }
    });

    test("do nothing for no rows, and give their memory back", () => {
      const matrix = matrixOf(N, K, "float32");
      const before = poolBytes().inUse;
      multiplySides("difference", matrix, { plus: new Float32Array(0), minus: new Float32Array(0) });
      multiplySides("difference", matrix, bothX(M * K));
      expect(poolBytes().inUse).toBe(before);
    });

    test("are refused where an array has another length than its sizes say", () => {
      const matrix = matrixOf(N, K, "float32");
      const right = { x: numbers(M * K, 1), bias: numbers(N, 1), residual: numbers(M * N, 1), y: numbers(M * N, 1) };
      for (const name of ["x", "bias", "residual", "y"] as const) {
        const wrong = { ...right, [name]: right[name].subarray(1) };
        expect(() => products.multiply("float32", M, matrix, wrong)).toThrow(`product's ${name} has`);
        expect(() => products.multiplyBoth("float32", M, matrix, { plus: right, minus: wrong })).toThrow(name);
      }
      const [dy, x, dWeight] = [right.y, right.x, numbers(N * K, 1)];
      const short1 = x.subarray(1);
      expect(() => products.inputGradient("float32", M, matrix, { dy, dx: short1 })).toThrow("product's y has");
      expect(() => products.weightGradient("float32", M, [N, K], { dy, x: short1, dWeight })).toThrow("x has");
      const { source } = matrix;
      const short = (source as Float32Array).subarray(0, matrix.first + (N - 1) * matrix.stride + K - 1);
      expect(() => products.multiply("float32", M, { ...matrix, source: short }, right)).toThrow("refused");
      expect(() => products.multiply("float32", M, { ...matrix, first: 32 }, right)).toThrow("refused");
      expect(() => products.multiply("float32", M, { ...matrix, stride: K - 64 }, right)).toThrow("refused");
    });

    test("are offered for multiples of 64 alone", () => {
      const matrix = matrixOf(N, K, "float32");
      expect(products.fits(matrix)).toBe(true);
      for (const name of ["first", "columns", "stride"] as const)
        expect(products.fits({ ...matrix, [name]: matrix[name] + 32 })).toBe(false);
    });
  });

describe("products of all levels here", () => {
  const levels = COMPILED.filter(isHere);

  test.skipIf(levels.length === 0).each(PRODUCTS)("round their operands alike: %s", async (kind) => {
    const matrix = { ...matrixOf(N, K, "float32"), noise: NOISE };
    const x = bothX(M * K);
    const { norms } = exactProduct(x.plus, bothSides(matrix).plus, K);
    const found: Float32Array[] = [];
    for (const level of levels) {
      const { multiplyBoth } = await atLevel(level, () => import("../../../src/tensor/x86/products.ts"));
      const y = { plus: new Float32Array(M * N), minus: new Float32Array(M * N) };
      multiplyBoth(kind, M, matrix, { plus: { x: x.plus, y: y.plus }, minus: { x: x.minus, y: y.minus } });
      found.push(y.plus);
    }
    for (const y of found) expect(errorOf(y, found[0]!, norms)).toBeLessThan(kind === "float32" ? 1e-30 : 1e-6);
  });
});
