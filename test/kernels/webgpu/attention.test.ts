import "@tensorflow/tfjs"; // the gradients of all operations, of which the cpu backend's compositions are made
import type * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { attention } from "../../../src/kernels/attention.ts";
import { gradients } from "../../../src/tensor/gradients.ts";
import { drawn, expectSame, isHere, on, where, worst } from "./compare.ts";

interface Case {
  readonly lengths: readonly number[];
  readonly keyLengths?: readonly number[];
  readonly heads: number;
  readonly keyHeads: number;
  readonly width: number;
  readonly causal: boolean;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** Attention of drawn queries, keys and values. */
function attend({ lengths, keyLengths = lengths, heads, keyHeads, width, causal }: Case, seed = 1): tf.Tensor {
  const q = drawn(seed, sum(lengths), heads * width);
  const [k, v] = [1, 2].map((more) => drawn(seed + more, sum(keyLengths), keyHeads * width));
  return attention(q, k!, v!, { lengths, keyLengths, heads, causal });
}

const CASES: readonly Case[] = [
  { lengths: [1], heads: 1, keyHeads: 1, width: 1, causal: true },
  { lengths: [1, 17, 40, 8], heads: 2, keyHeads: 2, width: 5, causal: true },
  { lengths: [3, 1, 20], keyLengths: [10, 70, 33], heads: 4, keyHeads: 2, width: 24, causal: true },
  { lengths: [1, 1, 1], keyLengths: [10, 65, 32], heads: 4, keyHeads: 1, width: 20, causal: true },
  { lengths: [16, 2], keyLengths: [16, 19], heads: 3, keyHeads: 1, width: 33, causal: false },
  { lengths: [67, 67], heads: 2, keyHeads: 2, width: 64, causal: true },
  ...[8, 80, 96, 100, 128, 256].map((width) => ({ lengths: [35, 5], heads: 2, keyHeads: 2, width, causal: true })),
];

describe.skipIf(!isHere)(`attention in WGSL${where}`, () => {
  test.each(CASES)("is that of the other backends: %o", async (of) => {
    await expectSame(() => [attend(of)]);
  });

  test("of batches of different shapes in turn stays right", async () => {
    const [first, second] = [CASES[1]!, { ...CASES[1]!, lengths: [9, 30, 27], causal: false }];
    const run = (): tf.Tensor[] => [first, second, first, second].map((of, i) => attend(of, i + 1));
    await expectSame(run);
  });

  test("takes scores that are far apart, the largest last", async () => {
    const of = { lengths: [70], heads: 1, keyHeads: 1, width: 8, causal: true };
    const run = (): tf.Tensor[] => {
      const x = drawn(1, 70, 8)
        .mul(drawn(2, 70, 1))
        .mul(10);
      return [attention(x, x, drawn(3, 70, 8), { ...of, keyLengths: of.lengths })];
    };
    const [[found], [expected]] = [await on("webgpu", run), await on("cpu", run)];
    expect(worst(found!, expected!)).toBeLessThan(1e-4);
  });

  test.each([1, 2, 4, 9, 11].map((i) => CASES[i]!))("has the gradients of the other backends: %o", async (of) => {
    const { lengths, keyLengths = lengths, heads, keyHeads, width, causal } = of;
    await expectSame(() => {
      const q = drawn(1, sum(lengths), heads * width);
      const [k, v] = [2, 3].map((seed) => drawn(seed, sum(keyLengths), keyHeads * width));
      const dy = drawn(4, sum(lengths), heads * width);
      const { value, grads } = gradients(
        () => attention(q, k!, v!, { lengths, keyLengths, heads, causal }),
        [q, k!, v!],
        dy,
      );
      value.dispose();
      return grads as tf.Tensor[];
    }, 2e-5);
  });
});
