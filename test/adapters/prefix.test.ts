import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { drawPrefixIds, prefix } from "../../src/adapters/prefix.ts";
import { packBatch } from "../../src/nn/batch.ts";
import type { Network } from "../../src/nn/network.ts";
import { features, featuresWithCache } from "../../src/nn/run.ts";
import { allValues, takeValues, valuesOf } from "../values.ts";
import { apart, BATCH, FAMILIES, featuresOf, KEY_WIDTH, withNetwork } from "./networks.ts";

const AT = { seed: 7, vocabulary: 32 };
const TOKENS = [4, 9, 20, 7];
const LENGTH = 5;

/** Features of all of one sequence's tokens, the first of which stands at `start`. */
const sequence = (network: Network, ids: readonly number[], start = 0): Promise<number[]> =>
  takeValues(tf.tidy(() => features(network, { ...packBatch([ids]), starts: [start] }, [...ids.keys()])));

test("the ids that a prefix starts from are drawn from the whole vocabulary", () => {
  const ids = [...drawPrefixIds(4000, { seed: 1, vocabulary: 32 })];
  const counts = Array.from({ length: 32 }, (_, id) => ids.filter((of) => of === id).length);
  expect(counts.reduce((a, b) => a + b, 0)).toBe(4000);
  expect(Math.min(...counts)).toBeGreaterThan(80); // 125 expected, 11 their deviation
});

describe.each(FAMILIES)("a prefix on %s", (family) => {
  test("has keys and values of the layers' own width, and changes what every sequence gives", () =>
    withNetwork(family, async (network) => {
      const { adaptation, parameters, dispose } = prefix().begin(network, AT);
      expect(parameters.map(({ value }) => value.shape)).toEqual(
        Array.from({ length: 4 }, () => [LENGTH, KEY_WIDTH[family]]),
      );
      const [plain, prefixed] = [await featuresOf(network), await featuresOf({ ...network, adaptation })];
      const width = plain.length / BATCH.ids.length;
      BATCH.ids.forEach((_, i) => {
        const row = [i * width, (i + 1) * width] as const;
        expect(apart(plain.slice(...row), prefixed.slice(...row))).toBeGreaterThan(1e-4);
      });
      dispose();
    }));

  test("gives a sequence the same, whatever else is in the batch", () =>
    withNetwork(family, async (network) => {
      const { adaptation, dispose } = prefix().begin(network, AT);
      const both = await featuresOf({ ...network, adaptation });
      const alone = await sequence({ ...network, adaptation }, TOKENS);
      expect(apart(alone, both.slice(0, alone.length))).toBeLessThan(1e-5);
      dispose();
    }));

  test("starts as its vocabulary ids' keys and values in the cache, the sequence's own positions counted from 0", () =>
    withNetwork(family, async (network) => {
      const { adaptation, dispose } = prefix().begin(network, AT);
      const ids = [...drawPrefixIds(LENGTH, AT)];
      const { features: of, present } = featuresWithCache(network, packBatch([ids]), [0]);
      const rows = TOKENS.map((_, i) => i);
      const cached = featuresWithCache(network, packBatch([TOKENS]), rows, present);
      const expected = [...(await valuesOf(cached.features))];
      expect(apart(await sequence({ ...network, adaptation }, TOKENS), expected)).toBeLessThan(1e-5);
      tf.dispose([of, cached.features]);
      for (const { keys, values } of [...present, ...cached.present]) tf.dispose([keys, values]);
      dispose();
    }));

  test("from random numbers starts small, with no key like another", () =>
    withNetwork(family, async (network) => {
      const { parameters, dispose } = prefix({ length: 50, init: "random" }).begin(network, AT);
      const values = (await allValues(parameters.map(({ value }) => value))).flatMap((each) => [...each]);
      const deviation = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
      expect(Math.abs(deviation / 0.02 - 1)).toBeLessThan(0.08);
      expect(new Set(values).size).toBeGreaterThan(0.99 * values.length);
      dispose();
    }));
});

test.each(["opt", "llama"] as const)(
  "with its positions moved behind the prefix, %s does what it does with the ids before the text: only positions differ",
  (family) =>
    withNetwork(family, async (network) => {
      const { adaptation, dispose } = prefix().begin(network, AT);
      const ids = [...drawPrefixIds(LENGTH, AT)];
      const joined = await sequence(network, [...ids, ...TOKENS]);
      const own = joined.slice((joined.length / (LENGTH + TOKENS.length)) * LENGTH);
      const whole = { ...network, adaptation };
      expect(apart(await sequence(whole, TOKENS, LENGTH), own)).toBeLessThan(1e-5);
      expect(apart(await sequence(whole, TOKENS), own)).toBeGreaterThan(1e-3);
      dispose();
    }),
);
