import seedrandom from "seedrandom";
import { beforeAll, describe, expect, test } from "vitest";
import { atLevel, isHere, needsLevel } from "./levels.ts";

const SHAPES = [
  [0, 5],
  [1, 1],
  [3, 17],
  [33, 16],
  [400, 203],
] as const;

function drawn(seed: string, size: number): Float32Array {
  const random = seedrandom.alea(seed);
  return Float32Array.from({ length: size }, () => (4 * random() - 2) * 2 ** Math.floor(24 * random() - 12));
}

const { fround } = Math;

/** keep · theta + the sum of the outer products, one operation after the other. */
function summed(theta: Float32Array, [rows, columns]: readonly [number, number], rank: number, keep: number) {
  const [left, right] = [drawn("left", rank * rows), drawn("right", rank * columns)];
  const values = theta.map((value, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    let sum = fround(value * fround(keep));
    for (let k = 0; k < rank; k++) sum = fround(sum + fround(left[k * rows + row]! * right[k * columns + column]!));
    return sum;
  });
  return { factors: { left, right, rank }, values };
}

const bytes = ({ buffer }: Float32Array): Buffer => Buffer.from(buffer);

describe.each(["none", "avx2", "avx512"] as const)("at %s", (level) => {
  const here = test.skipIf(!isHere(level));
  if (!isHere(level)) test.skip(needsLevel(level), () => {});
  let outer: typeof import("../../../src/tensor/x86/outer.ts");
  let library: typeof import("../../../src/tensor/x86/library.ts");
  beforeAll(async () => {
    if (!isHere(level)) return;
    outer = await atLevel(level, () => import("../../../src/tensor/x86/outer.ts"));
    library = await import("../../../src/tensor/x86/library.ts");
  });

  here.each([1, 2, 3])("a matrix of low rank is added to the bits of single operations: rank %i", (rank) => {
    for (const threads of [1, 3])
      for (const shape of SHAPES)
        for (const keep of [1, 0.99]) {
          library.setLibraryThreads(threads);
          const theta = drawn("theta", shape[0] * shape[1]);
          const { factors, values } = summed(theta, shape, rank, keep);
          outer.addOuter(theta, shape, factors, keep);
          expect(bytes(theta).equals(bytes(values)), `${shape}, keep ${keep}, ${threads} threads`).toBe(true);
        }
  });

  here("sizes that do not fit are refused", () => {
    const factors = { left: new Float32Array(4), right: new Float32Array(6), rank: 2 };
    expect(() => outer.addOuter(new Float32Array(5), [2, 3], factors, 1)).toThrow("addOuter");
    expect(() => outer.addOuter(new Float32Array(6), [2, 3], { ...factors, rank: 1 }, 1)).toThrow("addOuter");
  });
});
