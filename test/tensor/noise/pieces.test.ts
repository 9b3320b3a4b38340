import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Distribution, type NoiseKey, wholeStretch } from "../../../src/tensor/noise/key.ts";
import { moveInPieces, setNoiseThreads } from "../../../src/tensor/noise/pieces.ts";
import { addGaussian, addRademacher } from "../../../src/tensor/noise/plain.ts";
import { NoiseThreads } from "../../../src/tensor/noise/threads.ts";
import { differing } from "./statistics.ts";
import { type SweepEntry, sweepMany } from "./sweeps.ts";

const TWINS = { gaussian: addGaussian, rademacher: addRademacher } as const;
const DISTRIBUTIONS = ["gaussian", "rademacher"] as const;
type FloatEntry = Required<SweepEntry> & { readonly theta: Float32Array };
const KEY: NoiseKey = { k0: 0xdeadbeef, k1: 0x80000001, stream: 0xffffffff };

/** A model of 1.1 million weights: lengths that fill groups, pieces or neither, one at an odd offset, some with decay. */
function model(): FloatEntry[] {
  const lengths = [1, 63, 64, 65, 2047, 2049, 16_384, 16_385, 100_003, 700_001, 262_144, 0, 5];
  return lengths.map((length, i) => ({
    theta: new Float32Array(length + 1).map((_, j) => Math.sin(i + j)).subarray(i % 2),
    key: { k0: i, k1: ~i >>> 0, stream: 1e9 * i },
    keep: i % 3 ? 1 : 0.999,
  }));
}

function plain(distribution: Distribution): FloatEntry[] {
  const entries = model();
  for (const { theta, key, keep } of entries) TWINS[distribution](theta, 1e-3, key, 0, keep);
  return entries;
}

const PLAIN = { gaussian: plain("gaussian"), rademacher: plain("rademacher") } as const;

const differences = (a: readonly FloatEntry[], b: readonly FloatEntry[]): number[] =>
  a.map(({ theta }, i) => differing(theta, b[i]!.theta));
const NONE: number[] = model().map(() => 0);

beforeEach(() => setNoiseThreads(1));
afterEach(() => {
  setNoiseThreads(1);
  vi.unstubAllGlobals();
  vi.resetModules();
});

describe.each(DISTRIBUTIONS)("both sides with %s noise", (law) => {
  /** Both sides of theta as `sweepMany` makes them, one after the other. */
  function swept(theta: Float32Array): { plus: Float32Array; minus: Float32Array } {
    const [plus, minus] = [theta.slice(), theta.slice()];
    sweepMany([{ theta: plus, key: KEY }], 1e-3, law, moveInPieces);
    sweepMany([{ theta: minus, key: KEY }], -1e-3, law, moveInPieces);
    return { plus, minus };
  }
  const theta = new Float32Array(700_001).map((_, i) => Math.sin(i));
  const parts = [
    [0, 700_001],
    [2048, 4096],
    [767, 1535],
    [16_384, 16_385],
    [300_001, 700_000],
  ] as const;

  test.each([1, 2])("makes the bits of two sweeps for any part, on %i threads, theta staying as it is", (threads) => {
    setNoiseThreads(threads);
    const [before, whole] = [theta.slice(), swept(theta)];
    const entries = parts.map(([from, to]) => {
      const [plus, minus] = [new Float32Array(to - from), new Float32Array(to - from)];
      return { ...wholeStretch(theta, [{ key: KEY, scale: 1e-3, keep: 1 }], law), from, to, sides: { plus, minus } };
    });
    moveInPieces(entries);
    for (const { from, to, sides } of entries) {
      expect(differing(sides.plus, whole.plus.subarray(from, to))).toBe(0);
      expect(differing(sides.minus, whole.minus.subarray(from, to))).toBe(0);
    }
    expect(differing(theta, before)).toBe(0);
    expect(differing(whole.plus, whole.minus)).toBeGreaterThan(0.99 * theta.length);
  });
});

describe("one move of every array", () => {
  test.each(DISTRIBUTIONS)("adds %s noise with the bits of its plain twin", (distribution) => {
    const entries = model();
    sweepMany(entries, 1e-3, distribution, moveInPieces);
    expect(differences(entries, PLAIN[distribution])).toEqual(NONE);
    expect(differences(entries, model()).reduce((a, b) => a + b)).toBeGreaterThan(1_000_000);
  });

  test("undoes itself with the opposite scale, up to rounding (Algorithm 1)", () => {
    const theta = new Float32Array(100_000).fill(0.5);
    sweepMany([{ theta, key: KEY }], 1e-3, "gaussian", moveInPieces);
    expect(Math.max(...theta)).toBeGreaterThan(0.503);
    sweepMany([{ theta, key: KEY }], -1e-3, "gaussian", moveInPieces);
    expect(theta.every((x) => Math.abs(x - 0.5) < 1e-7)).toBe(true);
  });

  test("leaves the elements around a tensor in its buffer alone", () => {
    const buffer = new Float32Array(1000).fill(7);
    sweepMany([{ theta: buffer.subarray(101, 900), key: KEY }], 1, "gaussian", moveInPieces);
    expect(new Set([...buffer.subarray(0, 101), ...buffer.subarray(900)])).toEqual(new Set([7]));
    expect(buffer.subarray(101, 900)).not.toContain(7);
  });

  test.each([2, 3])("gives the same bits on %d threads, whoever does which piece", async (threads) => {
    const post = vi.spyOn(NoiseThreads.prototype, "post");
    setNoiseThreads(threads);
    // The workers come up while the first sweeps run: go on until more was posted than waits at once, so until they have done some.
    for (let posted = 0; posted <= 3 * (threads - 1); await setTimeout(1)) {
      post.mockClear();
      const entries = model();
      sweepMany(entries, 1e-3, "gaussian", moveInPieces);
      expect(differences(entries, PLAIN.gaussian)).toEqual(NONE);
      posted = post.mock.results.filter(({ value }) => value === true).length;
    }
    post.mockRestore();
  });

  test("does the work on one thread where threads cannot share memory", async () => {
    const asked = vi.fn();
    vi.resetModules();
    vi.stubGlobal(
      "SharedArrayBuffer",
      class {
        constructor() {
          asked();
          throw new Error("no shared memory here");
        }
      },
    );
    const fresh = await import("../../../src/tensor/noise/pieces.ts");
    fresh.setNoiseThreads(2);
    const entries = model();
    sweepMany(entries, 1e-3, "gaussian", fresh.moveInPieces);
    expect(asked).toHaveBeenCalledTimes(1);
    expect(differences(entries, PLAIN.gaussian)).toEqual(NONE);
  });

  test.each(DISTRIBUTIONS)("adds the same %s noise without WebAssembly", async (distribution) => {
    const entries = model();
    vi.stubGlobal("WebAssembly", undefined);
    vi.resetModules();
    const { wasmSweep } = await import("../../../src/tensor/noise/wasm.ts");
    expect(wasmSweep()).toBeUndefined();
    const fresh = await import("../../../src/tensor/noise/pieces.ts");
    fresh.setNoiseThreads(2);
    sweepMany(entries, 1e-3, distribution, fresh.moveInPieces);
    expect(differences(entries, PLAIN[distribution])).toEqual(NONE);
  });
});

describe("setNoiseThreads", () => {
  test.each([0, 1.5, Number.NaN])("says that %d is no number of threads", (n) => {
    expect(() => setNoiseThreads(n)).toThrow(`The number of noise threads must be an integer from 1 on, not ${n}.`);
  });
});

describe("wasm.generated.ts", () => {
  test("was built from noise.c as it is now", () => {
    const read = (file: string): string =>
      readFileSync(new URL(`../../../src/tensor/noise/${file}`, import.meta.url), "utf8");
    expect(read("wasm.generated.ts")).toContain(createHash("sha256").update(read("noise.c")).digest("hex"));
  });
});
