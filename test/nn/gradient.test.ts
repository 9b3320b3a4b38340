import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { tokenLogProbs } from "../../src/kernels/tokenLogProbs.ts";
import { packBatch } from "../../src/nn/batch.ts";
import { checkpointedGradient, plainGradient } from "../../src/nn/gradient.ts";
import type { Network } from "../../src/nn/network.ts";
import { features } from "../../src/nn/run.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { allValues, setValues, takeValues, valuesOf } from "../values.ts";
import { CONFIGS, free, type TinyNetwork, tinyAdaptation, tinyNetwork } from "./networks.ts";

const batch = packBatch([
  [1, 4, 5],
  [1, 7, 8, 9, 10, 3],
  [1, 6, 2],
]);
const rows = [2, 7, 8, 11];

/** Mean negative log-probability of some tokens at the rows. */
const tailOf =
  ({ head }: Network) =>
  (seen: tf.Tensor2D): tf.Scalar => {
    const targets = tf.tensor1d([3, 11, 18, 4], "int32");
    return tf.neg(tf.mean(tokenLogProbs(seen, head.weight, targets, head.bias))) as tf.Scalar;
  };

type Differentiate = typeof plainGradient;

async function gradientBy(differentiate: Differentiate, network: Network, theta: readonly Parameter[]) {
  const { loss, gradients } = await differentiate(network, batch, rows, tailOf(network), theta);
  const values = (await allValues(gradients)).map((each) => [...each]);
  tf.dispose(gradients);
  return { loss, values };
}

const lossOf = async (network: Network): Promise<number> =>
  (await takeValues(tf.tidy(() => tailOf(network)(features(network, batch, rows)))))[0]!;

/** Checks the gradient in three elements of each weight against differences of the loss. */
async function checkByDifferences(network: Network, theta: readonly Parameter[], gradients: number[][]): Promise<void> {
  for (const [i, { name, value }] of theta.entries()) {
    const values = await valuesOf(value);
    for (const j of new Set([0, values.length >> 1, values.length - 1])) {
      const [old, step] = [values[j]!, 1 / 256];
      const at = async (v: number): Promise<number> => {
        setValues(value, values.with(j, v));
        return lossOf(network);
      };
      const difference = ((await at(old + step)) - (await at(old - step))) / (2 * step);
      setValues(value, values);
      expect(Math.abs(gradients[i]![j]! - difference), `${name}[${j}]`).toBeLessThan(
        1e-3 + 0.01 * Math.abs(difference),
      );
    }
  }
}

const adapted: Readonly<Record<string, (of: TinyNetwork) => TinyNetwork>> = {
  itself: (of) => of,
  "with corrections and a prefix": (of) => {
    const more = tinyAdaptation(of);
    return { network: more.network, parameters: [...of.parameters, ...more.parameters] };
  },
};

describe.each(Object.entries(CONFIGS))("%s", (_name, config) => {
  test.each(Object.entries(adapted))(
    "%s: both gradients are that of the loss, and each other's",
    async (_kind, adapt) => {
      const { network, parameters } = adapt(tinyNetwork(config));
      const plain = await gradientBy(plainGradient, network, parameters);
      const checkpointed = await gradientBy(checkpointedGradient, network, parameters);
      expect(plain.loss).toBeCloseTo(await lossOf(network), 6);
      expect(checkpointed.loss).toBeCloseTo(plain.loss, 6);
      plain.values.forEach((values, i) => {
        const errors = values.map((v, j) => Math.abs(checkpointed.values[i]![j]! - v) / (1 + Math.abs(v)));
        expect(Math.max(...errors), parameters[i]!.name).toBeLessThan(1e-5);
      });
      expect(plain.values.flat().some((v) => Math.abs(v) > 0.05)).toBe(true);
      await checkByDifferences(network, parameters, plain.values);
      free(parameters);
    },
  );
});

test("a weight that the loss does not depend on has a gradient of zeros, and nothing is asked for nothing", async () => {
  const { network, parameters } = tinyNetwork(CONFIGS.opt!);
  const stranger = { name: "stranger", value: tf.ones([3]) };
  for (const differentiate of [plainGradient, checkpointedGradient]) {
    expect((await gradientBy(differentiate, network, [stranger])).values).toEqual([[0, 0, 0]]);
    expect((await gradientBy(differentiate, network, [])).loss).toBeCloseTo(await lossOf(network), 6);
  }
  free([...parameters, stranger]);
});
