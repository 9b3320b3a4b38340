import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import type { AdaptableNetwork } from "../../src/adapters/adapter.ts";
import { headTuning } from "../../src/adapters/head.ts";
import { lora } from "../../src/adapters/lora.ts";
import { prefix } from "../../src/adapters/prefix.ts";
import { linear } from "../../src/kernels/linear.ts";
import { forwardDerivative } from "../../src/lab/forwardGradient.ts";
import { plainGradient } from "../../src/nn/gradient.ts";
import type { Network } from "../../src/nn/network.ts";
import { features } from "../../src/nn/run.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { gaussian, scaledNoise } from "../../src/tensor/parameter.ts";
import type { Derivative } from "../../src/tuners/tuner.ts";
import { BATCH, FAMILIES, ROWS, tail, withNetwork } from "../adapters/networks.ts";
import { takeValues } from "../values.ts";

const AT = { seed: 2, vocabulary: 32 };
const Z = { seed: 8, step: 1 };

/** What is trained: all weights, or an adapter's. */
const TRAINED = {
  "all weights": (network: AdaptableNetwork) => ({ ...network, dispose: () => {} }),
  LoRA: (network: AdaptableNetwork) => lora({ rank: 2, alpha: 4 }).begin(network, AT),
  "LoRA of all linear maps": (network: AdaptableNetwork) =>
    lora({ rank: 2, alpha: 4, targets: "all-linear" }).begin(network, AT),
  "the prefix": (network: AdaptableNetwork) => prefix({ length: 3 }).begin(network, AT),
  "the head": (network: AdaptableNetwork) => headTuning().begin(network, AT),
} as const;

/** A loss of the logits, which the head is in too. */
const lossOfFeatures =
  (network: Network) =>
  (seen: tf.Tensor2D): tf.Scalar =>
    tail(linear(seen, network.head.weight));

function forwards(network: Network, theta: readonly Parameter[]): Promise<Derivative> {
  const tangentOf = (weight: Parameter): tf.Tensor => scaledNoise(weight, gaussian, Z);
  return forwardDerivative(() => features(network, BATCH, ROWS), lossOfFeatures(network), theta, tangentOf);
}

async function backwards(network: Network, theta: readonly Parameter[]): Promise<Derivative> {
  const { loss, gradients } = await plainGradient(network, BATCH, ROWS, lossOfFeatures(network), theta);
  let derivative = 0;
  for (const [i, weight] of theta.entries()) {
    const g = await takeValues(gradients[i]!);
    const z = await takeValues(scaledNoise(weight, gaussian, Z));
    derivative += g.reduce((sum, v, j) => sum + v * z[j]!, 0);
  }
  return { loss, derivative };
}

describe.each(FAMILIES)("forward mode through %s", (family) => {
  test.each(Object.entries(TRAINED))("gives backpropagation's derivative along z, for %s, to 1e-5", (_what, begin) =>
    withNetwork(family, async (network) => {
      const trained = begin(network);
      const whole = { ...network, adaptation: {}, ...trained } as Network;
      gaussian(trained.parameters, 0.05, { seed: 1, step: 0 }); // away from LoRA's start, where half of the gradient is 0
      const tensors = tf.memory().numTensors;
      const [found, expected] = [await forwards(whole, trained.parameters), await backwards(whole, trained.parameters)];
      expect(Math.abs(expected.derivative)).toBeGreaterThan(1e-4);
      expect(Math.abs(found.derivative / expected.derivative - 1)).toBeLessThan(1e-5);
      expect(found.loss).toBeCloseTo(expected.loss, 6);
      expect(tf.memory().numTensors).toBe(tensors);
      trained.dispose();
    }),
  );

  test("agrees with the two-sided difference to the accuracy of float32 losses", () =>
    withNetwork(family, async (network) => {
      const { derivative } = await forwards(network, network.parameters);
      const eps = 1e-3;
      const lossAt = async (scale: number): Promise<number> => {
        gaussian(network.parameters, scale, Z);
        const loss = tf.tidy(() => lossOfFeatures(network)(features(network, BATCH, ROWS)));
        gaussian(network.parameters, -scale, Z);
        return (await takeValues(loss))[0]!;
      };
      const difference = ((await lossAt(eps)) - (await lossAt(-eps))) / (2 * eps);
      expect(Math.abs(difference - derivative)).toBeLessThan(0.01 * Math.abs(derivative));
    }));
});
