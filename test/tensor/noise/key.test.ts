import { describe, expect, test } from "vitest";
import { type NoiseKey, noiseKey } from "../../../src/tensor/noise/key.ts";

const key = (k0: number, k1: number, stream: number): NoiseKey => ({ k0, k1, stream });

describe("noiseKey", () => {
  // From a separate implementation in Python. A change here changes the z of every run ever made.
  test.each([
    [0, 0, "", key(0x6627e8d5, 0xe169c58d, 0xbc57ac4c)],
    [42, 1000, "model.decoder.layers.0.fc1.weight", key(0x15365afb, 0x24f2cbf7, 0xbfe404b1)],
    [-1, 2 ** 40 + 5, "größe", key(0x9e86289f, 0x3fa437cc, 0x43e83228)],
  ])("of seed %d, step %d and name %j is pinned", (seed, step, name, expected) => {
    expect(noiseKey(seed, step, name)).toEqual(expected);
  });

  test("is the same at index 0, and differs among several z of one step and from those of other steps", () => {
    expect(noiseKey(42, 7, "w", 0)).toEqual(noiseKey(42, 7, "w"));
    const keys = Array.from({ length: 50 }, (_, step) =>
      Array.from({ length: 100 }, (_, index) => noiseKey(42, step, "w", index)),
    ).flat();
    expect(new Set(keys.map(({ k0, k1, stream }) => `${k0} ${k1} ${stream}`)).size).toBe(5_000);
    expect(new Set(keys.map(({ k0 }) => k0)).size).toBeGreaterThanOrEqual(4_998);
  });

  test("differs in every word for all neighbouring seeds, steps and names", () => {
    const keys: NoiseKey[] = [];
    for (let seed = 0; seed < 20; seed++) {
      for (let step = 0; step < 100; step++) {
        for (const name of ["a", "b", "ab", "layers.1", "layers.10"]) keys.push(noiseKey(seed, step, name));
      }
    }
    expect(new Set(keys.map(({ k0, k1, stream }) => `${k0} ${k1} ${stream}`)).size).toBe(10_000);
    for (const part of ["k0", "k1", "stream"] as const) {
      // Of 10,000 random uint32, 0.01 pairs are expected to meet.
      expect(new Set(keys.map((each) => each[part])).size).toBeGreaterThanOrEqual(9_998);
    }
  });

  test.each([1, 2 ** 31, 2 ** 32, 2 ** 52])("turns about half of its bits when the seed grows by %d", (by) => {
    let turned = 0;
    for (let seed = 0; seed < 100; seed++) {
      const [one, two] = [noiseKey(seed, 0, "w"), noiseKey(seed + by, 0, "w")];
      for (const part of ["k0", "k1", "stream"] as const) turned += bitsSet(one[part] ^ two[part]);
    }
    expect(turned / 9600).toBeCloseTo(0.5, 1);
  });

  test("says what is wrong with a seed or a step that is no integer", () => {
    expect(() => noiseKey(0.5, 0, "w")).toThrow("The noise needs an integer as seed, not 0.5.");
    expect(() => noiseKey(0, Number.NaN, "w")).toThrow("The noise needs an integer as step, not NaN.");
  });
});

function bitsSet(word: number): number {
  let count = 0;
  for (let rest = word >>> 0; rest; rest = rest >>> 1) count += rest & 1;
  return count;
}
