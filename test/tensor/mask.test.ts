import * as tf from "@tensorflow/tfjs-core";
import { afterEach, describe, expect, test } from "vitest";
import { storage } from "../../src/tensor/backend.ts";
import { countIn, smallest } from "../../src/tensor/mask.ts";
import { type Distribution, type Mask, noiseKey, type Stretch, wholeStretch } from "../../src/tensor/noise/key.ts";
import { moveInPieces, setNoiseThreads } from "../../src/tensor/noise/pieces.ts";
import { addGaussian, addRademacher, movePlainly } from "../../src/tensor/noise/plain.ts";
import type { Draw, Parameter } from "../../src/tensor/parameter.ts";
import { gaussian, rademacher, scaledNoise } from "../../src/tensor/parameter.ts";
import { allValues } from "../values.ts";
import { differing } from "./noise/statistics.ts";

const made: tf.Tensor[] = [];
afterEach(() => tf.dispose(made.splice(0)));

function weight(name: string, values: readonly number[] | Float32Array): Parameter {
  const value = tf.tensor1d(Float32Array.from(values));
  made.push(value);
  return { name, value };
}

const members = (mask: Mask, size: number): boolean[] =>
  Array.from({ length: size }, (_, i) => ((mask[i >> 5]! >> (i & 31)) & 1) === 1);

/** Numbers of all sizes and both signs, some of them twice, and zeros. */
const valuesOf = (size: number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => (i % 7 === 0 ? 0 : Math.sin(i % 901) * 2 ** ((i % 40) - 30)));

const maskFor = (size: number): Mask =>
  Uint32Array.from({ length: (Math.ceil(size / 2048) * 2048) / 32 }, (_, i) => ((i + 1) * 0x9e3779b9) >>> 0);

describe("the smallest elements of a weight", () => {
  test.each([
    [1, 0.25],
    [64, 0.25],
    [2049, 0.1],
    [5000, 0.5],
    [5000, 0.999],
  ])("of %i are those that sorting finds, for a share of %d", async (size, share) => {
    const values = valuesOf(size);
    const mask = (await smallest([weight("a", values)], share)).get("a")!;
    const sizes = Array.from(values, Math.abs);
    const most = sizes.toSorted((a, b) => a - b)[Math.ceil(share * size) - 1]!;
    expect(members(mask, size)).toEqual(sizes.map((each) => each <= most));
    expect(countIn(mask)).toBe(sizes.filter((each) => each <= most).length);
    expect(mask.length).toBe(64 * Math.ceil(size / 2048));
  });

  test("are found weight by weight, whatever their signs", async () => {
    const masks = await smallest(
      [weight("a", [-1, 2, -3, 4]), weight("b", [30, -10, 20, 40]), weight("c", [0, 0])],
      0.5,
    );
    expect(members(masks.get("a")!, 4)).toEqual([true, true, false, false]);
    expect(members(masks.get("b")!, 4)).toEqual([false, true, true, false]);
    expect(members(masks.get("c")!, 2)).toEqual([true, true]);
  });
});

const ADD = { gaussian: addGaussian, rademacher: addRademacher } as const;
const LAWS = ["gaussian", "rademacher"] as const;
const KEY = noiseKey(3, 4, "weight");

/** keep · theta + scale · z within the mask and keep · theta outside of it, in float32. */
function expectedMove(
  theta: Float32Array,
  law: Distribution,
  { mask, offset = 0, keep = 1 }: MoveWithin,
): Float32Array {
  const [all, none] = [theta.slice(), theta.slice()];
  ADD[law](all, 0.01, KEY, offset, keep);
  ADD[law](none, 0, KEY, offset, keep);
  const isIn = members(mask, offset + theta.length);
  return all.map((value, i) => (isIn[offset + i] ? value : none[i]!));
}

interface MoveWithin {
  readonly mask: Mask;
  readonly offset?: number;
  readonly keep?: number;
}

describe.each(LAWS)("%s z within a mask", (law) => {
  const WAYS = [
    ["plainly", movePlainly],
    ["in pieces", (stretch: Stretch) => moveInPieces([stretch])],
  ] as const;

  test.each(WAYS)("moves %s what is in it, and only keeps the rest", (_way, move) => {
    setNoiseThreads(2);
    for (const [size, offset, keep] of [
      [1, 0, 1],
      [100, 0, 0.99],
      [40_001, 4096, 1],
      [200_000, 0, 0.5],
    ] as const) {
      const [theta, mask] = [valuesOf(size), maskFor(offset + size)];
      const expected = expectedMove(theta, law, { mask, offset, keep });
      move(wholeStretch(theta, [{ key: { ...KEY, mask }, scale: 0.01, keep }], law, offset));
      expect(differing(theta, expected)).toBe(0);
      expect(differing(theta, valuesOf(size))).toBeGreaterThan(0);
    }
    setNoiseThreads(1);
  });

  test.each(WAYS)("has %s both sides of any part", (_way, move) => {
    const [theta, mask] = [valuesOf(40_001), maskFor(40_001)];
    const whole = expectedMove(theta, law, { mask });
    for (const [from, to] of [
      [0, 40_001],
      [767, 20_000],
      [16_383, 16_385],
    ] as const) {
      const sides = { plus: new Float32Array(to - from), minus: new Float32Array(to - from) };
      const moves = [{ key: { ...KEY, mask }, scale: 0.01, keep: 1 }];
      move({ ...wholeStretch(theta, moves, law), from, to, sides });
      expect(differing(sides.plus, whole.subarray(from, to))).toBe(0);
      const around = sides.plus.map((plus, i) => plus - theta[from + i]! - (theta[from + i]! - sides.minus[i]!));
      expect(Math.max(...around.map(Math.abs))).toBeLessThan(1e-4);
      expect(sides.minus.some((minus, i) => minus !== sides.plus[i])).toBe(true);
    }
  });

  test("is the backend's too, in place and on both sides, and 0 elsewhere", async () => {
    for (const size of [5, 5000, 2 ** 18 + 1]) {
      const [values, mask] = [valuesOf(size), maskFor(size)];
      const theta = weight("weight", values);
      const expected = expectedMove(values, law, { mask });
      const key = { ...KEY, mask };
      const [both] = storage().sides([{ tensor: theta.value, key }], 0.01, law);
      made.push(both!.plus, both!.minus);
      storage().move([{ tensor: theta.value, moves: [{ key, scale: 0.01, keep: 1 }] }], law);
      const [plus, moved] = (await allValues([both!.plus, theta.value])).map((all) => all.slice());
      expect([differing(plus!, expected), differing(moved!, expected)]).toEqual([0, 0]);
    }
  });

  test("is asked for by a draw, weight by weight", async () => {
    const theta = [weight("a", [1, 2, 3]), weight("b", [1, 2, 3])];
    const draw: Draw = { seed: 1, step: 2, masks: new Map([["a", Uint32Array.from({ length: 64 }, () => 0b010)]]) };
    const noise = { gaussian, rademacher }[law];
    made.push(...theta.map((each) => scaledNoise(each, noise, draw)));
    const [a, b] = await allValues(made.slice(-2));
    expect(Array.from(a!, (value) => value === 0)).toEqual([true, false, true]);
    expect(b).not.toContain(0);
  });
});

test("a multiple of one tensor is added to another with the bits of float32", async () => {
  const [to, from] = [valuesOf(5000), valuesOf(5000).reverse()];
  const [a, b] = [weight("a", to), weight("b", from)];
  storage().addScaled(a.value, b.value, 0.1);
  const expected = to.map((value, i) => value + Math.fround(Math.fround(0.1) * from[i]!));
  expect(differing((await allValues([a.value]))[0]!.slice(), expected)).toBe(0);
});
