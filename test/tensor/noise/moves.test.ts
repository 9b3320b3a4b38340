import { afterEach, describe, expect, test } from "vitest";
import { narrow } from "../../../src/tensor/halves.ts";
import { type Move, noiseKey, wholeStretch } from "../../../src/tensor/noise/key.ts";
import { moveInPieces, setNoiseThreads } from "../../../src/tensor/noise/pieces.ts";
import type { Halves } from "../../../src/tensor/source.ts";
import { sweepMany } from "./sweeps.ts";

const LAWS = ["gaussian", "rademacher"] as const;
const SIZES = [1, 63, 2049, 40_000, 70_001];

/** So many that a round of them is not enough. */
const movesOf = (name: string, count = 300): Move[] =>
  Array.from({ length: count }, (_, step) => ({
    key: noiseKey(3, step, name),
    scale: 1e-2 * Math.sin(step + 1),
    keep: step % 3 === 0 ? 0.999 : 1,
  }));

const begun = (size: number): Float32Array => Float32Array.from({ length: size }, (_, i) => Math.cos(i));

afterEach(() => setNoiseThreads(2));

describe.each(LAWS)("many moves of %s noise", (law) => {
  test.each([1, 2, 3])("are those of one sweep after the other, to the bit, on %i threads", (threads) => {
    setNoiseThreads(threads);
    const together = SIZES.map((size) => ({ theta: begun(size), moves: movesOf(`weight ${size}`) }));
    const single = SIZES.map((size) => ({ theta: begun(size), moves: movesOf(`weight ${size}`) }));
    moveInPieces(together.map(({ theta, moves }) => wholeStretch(theta, moves, law)));
    for (let i = 0; i < 300; i++)
      for (const { theta, moves } of single)
        sweepMany([{ theta, key: moves[i]!.key, keep: moves[i]!.keep }], moves[i]!.scale, law, moveInPieces);
    together.forEach(({ theta }, i) => expect(theta).toEqual(single[i]!.theta));
    expect(together[0]!.theta[0]).not.toBe(1);
  });

  test("of a part of a tensor are those of the tensor there", () => {
    const [whole, part] = [begun(9000), begun(9000).subarray(4096, 7000)];
    moveInPieces([wholeStretch(whole, movesOf("weight", 5), law)]);
    moveInPieces([wholeStretch(part, movesOf("weight", 5), law, 4096)]);
    expect(part).toEqual(whole.subarray(4096, 7000));
  });

  test("of weights in 16 bits round after each", () => {
    const halves = (): Halves => {
      const kept: Halves = { format: "bfloat16", rounding: "stochastic", bits: new Uint16Array(5000) };
      narrow(begun(5000), kept, 0);
      return kept;
    };
    const [together, single] = [halves(), halves()];
    const moves = movesOf("weight", 20);
    moveInPieces([wholeStretch(together, moves, law)]);
    for (const { key, scale, keep } of moves) sweepMany([{ theta: single, key, keep }], scale, law, moveInPieces);
    expect(together.bits).toEqual(single.bits);
  });
});
