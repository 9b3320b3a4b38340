import { describe, expect, test } from "vitest";
import { philox, type Words } from "../../../src/tensor/noise/key.ts";

// kat_vectors of Random123: counter, key, output of philox4x32 with 10 rounds.
const ONES = 0xffffffff;
const KNOWN = [
  [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  [[ONES, ONES, ONES, ONES], [ONES, ONES], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
  [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], "d16cfe09 94fdcceb 5001e420 24126ea1"],
] as const;

describe("philox", () => {
  test.each(KNOWN)("gives Random123's known answer for counter %j under key %j", (counter, [k0, k1], answer) => {
    const words: Words = [...counter];
    philox(words, k0, k1);
    expect(words.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join(" ")).toBe(answer);
  });
});
