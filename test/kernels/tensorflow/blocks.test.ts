import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { type AttentionShape, attention } from "../../../src/kernels/attention.ts";
import "../../../src/kernels/backends.ts";
import { bestTokens } from "../../../src/kernels/bestTokens.ts";
import { feedForward } from "../../../src/kernels/feedForward.ts";
import { tokenLogProbs } from "../../../src/kernels/tokenLogProbs.ts";
import { probeBackends, useBackend } from "../../../src/tensor/backend.ts";
import { tensorBytes } from "../../../src/tensor/tensorflow/memory.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "tensorflow")!;
const MIB = 2 ** 20;

const normal = (seed: number, ...shape: number[]): tf.Tensor => tf.randomNormal(shape, 0, 1, "float32", seed);

/** Attention of q [tokens, heads · 4] to keys of `keyHeads` heads. */
function attend(heads: number, keyHeads: number, shape: Omit<AttentionShape, "heads">): () => tf.Tensor {
  const count = (lengths: readonly number[]): number => lengths.reduce((a, b) => a + b, 0);
  return () => {
    const [k, v] = [2, 3].map((seed) => normal(seed, count(shape.keyLengths), keyHeads * 4));
    return attention(normal(1, count(shape.lengths), heads * 4), k!, v!, { ...shape, heads });
  };
}

const [ROWS, VOCABULARY] = [400, 40_000];
const ids = (): tf.Tensor1D => tf.tensor1d(Int32Array.from({ length: ROWS }, (_, i) => (i * 7919) % VOCABULARY));

/** Operations whose intermediate values would take 60 MiB and more if they were made at once, twice that with what becomes of them. */
const operations: Readonly<Record<string, () => tf.Tensor>> = {
  "causal attention of more heads than at once": attend(12, 12, {
    lengths: [1000, 1000],
    keyLengths: [1000, 1000],
    causal: true,
  }),
  "causal attention of more queries of a head than at once, after other keys": attend(1, 1, {
    lengths: [4000],
    keyLengths: [4500],
    causal: true,
  }),
  "attention of heads that share keys, each with more queries than at once": attend(4, 1, {
    lengths: [3000],
    keyLengths: [3000],
    causal: false,
  }),
  "log-probabilities of more rows than at once": () =>
    tokenLogProbs(normal(1, ROWS, 4), normal(2, VOCABULARY, 4), ids(), normal(3, VOCABULARY)),
  "the likeliest tokens of more rows than at once": () => bestTokens(normal(1, ROWS, 4), normal(2, VOCABULARY, 4)),
  "a feed-forward part of more rows than at once": () => {
    const [x, wide] = [normal(1, 9000, 4), 2048];
    const weights = {
      up: normal(2, wide, 4),
      upBias: normal(3, wide),
      down: normal(4, 4, wide),
      downBias: normal(5, 4),
    };
    return feedForward(x, weights, "gelu", x);
  },
};

/** An operation's values on a backend, and the most bytes that it held on TensorFlow. */
async function valuesOn(
  backend: "native" | "tensorflow",
  run: () => tf.Tensor,
): Promise<{ values: Float32Array; bytes: number }> {
  await useBackend(backend);
  const before = tensorBytes.now();
  tensorBytes.resetPeak();
  const values = tf.tidy(() => run().dataSync().slice()) as unknown as Float32Array;
  const bytes = tensorBytes.peak() - before;
  await useBackend("native");
  return { values, bytes };
}

describe.skipIf(!available)(`blocks on TensorFlow${available ? "" : ` (skipped: ${detail})`}`, () => {
  test.each(Object.entries(operations))("%s: native's values, in bounded memory", async (_name, run) => {
    const [want, got] = [await valuesOn("native", run), await valuesOn("tensorflow", run)];
    expect(got.values.length).toBe(want.values.length);
    const [largest, farthest] = [Math.abs, (value: number, i: number) => Math.abs(value - got.values[i]!)].map((of) =>
      want.values.reduce((most, value, i) => Math.max(most, of(value, i)), 0),
    );
    expect(largest).toBeGreaterThan(0);
    expect(farthest! / largest!).toBeLessThan(1e-5);
    expect(got.bytes / MIB).toBeLessThan(100);
  });

  test("of masks and angles, which are kept for the next call, only so many stay", async () => {
    await useBackend("tensorflow");
    const before = tensorBytes.now();
    const kept = [2300, 2200, 2100, 2000, 1900, 2300, 2300].map((length) => {
      const run = attend(1, 1, { lengths: [length], keyLengths: [length], causal: true });
      tf.tidy(() => run().dataSync()); // its mask takes 14 to 20 MiB
      return tensorBytes.now();
    });
    expect(Math.max(...kept) - before).toBeLessThan(65 * MIB);
    expect(kept.at(-1)).toBe(kept.at(-2));
    await useBackend("native");
  });
});
