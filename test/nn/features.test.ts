import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { packBatch, type TokenBatch } from "../../src/nn/batch.ts";
import type { KeysValues, Network } from "../../src/nn/network.ts";
import { features, featuresWithCache } from "../../src/nn/run.ts";
import { CONFIGS, free, tinyAdaptation, tinyNetwork } from "./networks.ts";

const MASKED = ["roberta", "bert"];
const decoders = Object.entries(CONFIGS).filter(([name]) => !MASKED.includes(name));
const all = ({ ids }: TokenBatch): number[] => [...ids.keys()];
const freePast = (past: readonly KeysValues[]): void => tf.dispose(past.flatMap(({ keys, values }) => [keys, values]));

async function rowsOf(network: Network, batch: TokenBatch, rows: readonly number[]): Promise<number[][]> {
  const seen = features(network, batch, rows);
  const values = await seen.array();
  seen.dispose();
  return values;
}

/** Features of the batch's rows where the tokens before are cached, and what is cached after. */
async function continued(network: Network, batch: TokenBatch, past?: readonly KeysValues[]) {
  const { features: seen, present } = featuresWithCache(network, batch, all(batch), past);
  const values = await seen.array();
  seen.dispose();
  return { values, present };
}

function expectClose(got: readonly (readonly number[])[], want: readonly (readonly number[])[]): void {
  expect(got.length).toBe(want.length);
  want.forEach((row, i) => row.forEach((v, j) => expect(got[i]![j]).toBeCloseTo(v, 4)));
}

describe.each(Object.entries(CONFIGS))("%s", (_name, config) => {
  test("a token has the same features in a ragged batch as alone, in any order of rows", async () => {
    const { network, parameters } = tinyNetwork(config);
    const alone = await rowsOf(network, packBatch([[1, 7, 8]]), [0, 1, 2]);
    const together = await rowsOf(network, packBatch([[1, 4, 5, 6], [1, 7, 8], [3]]), [6, 4, 5]);
    expectClose(together, [alone[2]!, alone[0]!, alone[1]!]);
    free(parameters);
  });

  test("an adaptation changes the features, and every correction is asked for by a checkpoint name", async () => {
    const plain = tinyNetwork(config);
    const { network, parameters } = tinyAdaptation(plain);
    const batch = packBatch([[1, 7, 8]]);
    expect(await rowsOf(network, batch, [2])).not.toEqual(await rowsOf(plain.network, batch, [2]));
    const asked = new Set<string>();
    const spy = {
      ...plain.network,
      adaptation: {
        correction: (name: string) => {
          asked.add(`${name}.weight`);
          return undefined;
        },
      },
    };
    expect(await rowsOf(spy, batch, [2])).toEqual(await rowsOf(plain.network, batch, [2]));
    const linearMaps = plain.parameters.filter(
      ({ name, value }) => value.rank === 2 && !/embed|\.w[tp]e\./.test(name) && name !== "lm_head.weight",
    );
    expect([...asked].sort()).toEqual(linearMaps.map(({ name }) => name).sort());
    free([...plain.parameters, ...parameters]);
  });
});

describe.each(decoders)("%s", (_name, config) => {
  test.each(["itself", "with a prefix"])(
    "%s: tokens after cached ones have the features that they have in one go",
    async (kind) => {
      const plain = tinyNetwork(config);
      const adapted = kind === "itself" ? { ...plain, parameters: [] } : tinyAdaptation(plain);
      const { network } = adapted;
      const whole = await rowsOf(
        network,
        packBatch([
          [1, 4, 5, 6],
          [1, 7, 8, 9, 10],
        ]),
        [2, 3, 5, 6, 7, 8],
      );
      const first = await continued(network, packBatch([[1, 4], [1]]));
      const rest = packBatch([
        [5, 6],
        [7, 8, 9, 10],
      ]);
      const second = await continued(network, { ...rest, starts: [2, 1] }, first.present);
      expectClose(second.values, whole);
      const own = kind === "itself" ? 0 : 2;
      expect(second.present[0]!.lengths).toEqual([4 + own, 5 + own]);
      expect(second.present[0]!.keys.shape).toEqual([9 + 2 * own, network.keyWidth]);
      freePast([...first.present, ...second.present]);
      free([...plain.parameters, ...adapted.parameters]);
    },
  );

  test("a causal network's features do not see what follows", async () => {
    const { network, parameters } = tinyNetwork(config);
    const [short, long] = [packBatch([[1, 4]]), packBatch([[1, 4, 9]])];
    expectClose(await rowsOf(network, long, [0, 1]), await rowsOf(network, short, [0, 1]));
    free(parameters);
  });
});

test("a masked network's features see what follows", async () => {
  const { network, parameters } = tinyNetwork(CONFIGS.roberta!);
  const [[a], [b]] = [
    await rowsOf(network, packBatch([[1, 4, 9]]), [0]),
    await rowsOf(network, packBatch([[1, 4, 10]]), [0]),
  ];
  expect(Math.max(...a!.map((v, i) => Math.abs(v - b![i]!)))).toBeGreaterThan(1e-3);
  free(parameters);
});
