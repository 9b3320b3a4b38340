import seedrandom from "seedrandom";
import { beforeAll, describe, expect, test } from "vitest";
import type { AdamArrays } from "../../../src/tensor/x86/weights.ts";
import { descendByMoments, intoMoments } from "../../../src/tuners/adam.ts";
import { atLevel, isHere, needsLevel } from "./levels.ts";

/** Sizes around those of a vector and of a piece, and one of several pieces. */
const SIZES = [0, 1, 15, 16, 33, 65536, 65537, 200_003];

function drawn(seed: string, size: number): Float32Array {
  const random = seedrandom.alea(seed);
  return Float32Array.from({ length: size }, () => 4 * random() - 2);
}

const draw = (size: number): AdamArrays => ({
  theta: drawn("theta", size),
  gradient: drawn("gradient", size),
  m: drawn("m", size),
  v: drawn("v", size).map((x) => x * x),
});

const bytes = ({ buffer }: Float32Array): Buffer => Buffer.from(buffer);

const SETTINGS = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, lr: 1e-3, scale: 0.37, l2: 0.01, keep: 0.999 };

describe.each(["avx2", "avx512"] as const)("at %s", (level) => {
  const here = test.skipIf(!isHere(level));
  if (!isHere(level)) test.skip(needsLevel(level), () => {});
  let weights: typeof import("../../../src/tensor/x86/weights.ts");
  let library: typeof import("../../../src/tensor/x86/library.ts");
  beforeAll(async () => {
    if (!isHere(level)) return;
    weights = await atLevel(level, () => import("../../../src/tensor/x86/weights.ts"));
    library = await import("../../../src/tensor/x86/library.ts");
  });

  here.each([1, 2, 3])("a pass of Adam is, to the bit, the plain formula's, at every size: %i threads", (threads) => {
    library.setLibraryThreads(threads);
    for (const size of SIZES)
      for (const steps of [1, 7]) {
        const [own, plain] = [draw(size), draw(size)];
        const correction = { rate: 1e-3 / (1 - 0.9 ** steps), root: Math.sqrt(1 - 0.999 ** steps) };
        weights.adamPass(own, { ...SETTINGS, ...correction });
        intoMoments(plain.theta, plain.gradient, plain, SETTINGS);
        descendByMoments(plain.theta, { ...plain, steps }, SETTINGS);
        for (const name of ["theta", "m", "v", "gradient"] as const)
          expect(bytes(own[name]).equals(bytes(plain[name])), name).toBe(true);
      }
  });

  here("a sum of squares is exact to double precision, and the same for any number of threads", () => {
    for (const size of SIZES) {
      const values = drawn("values", size);
      const sums = [1, 2, 3].map((threads) => {
        library.setLibraryThreads(threads);
        return weights.sumSquares(values);
      });
      expect(new Set(sums).size).toBe(1);
      const plain = values.reduce((sum, x) => sum + x * x, 0);
      expect(Math.abs(sums[0]! - plain)).toBeLessThanOrEqual(1e-12 * plain);
    }
  });

  here("arrays of other lengths than the weights' are refused", () => {
    const arrays = { ...draw(16), m: new Float32Array(15) };
    expect(() => weights.adamPass(arrays, { ...SETTINGS, rate: 1, root: 1 })).toThrow("15 elements for 16 weights");
  });
});
