import "@tensorflow/tfjs"; // the gradients of all operations, of which the other backends' compositions are made
import * as tf from "@tensorflow/tfjs-core";
import { describe, test } from "vitest";
import { linear } from "../../../src/kernels/linear.ts";
import { packBatch } from "../../../src/nn/batch.ts";
import type { Network } from "../../../src/nn/network.ts";
import { features } from "../../../src/nn/run.ts";
import { gradients } from "../../../src/tensor/gradients.ts";
import { CONFIGS, tinyAdaptation, tinyNetwork } from "../../nn/networks.ts";
import { expectSame, isHere, where } from "./compare.ts";

const batch = packBatch([[2, 6, 7, 8], [2], [3, 9, 10, 11, 12, 4]]);

function logits(network: Network): tf.Tensor2D {
  const { weight, bias } = network.head;
  return linear(features(network, batch, [...batch.ids.keys()]), weight, bias ? { bias } : {});
}

describe.skipIf(!isHere)(`networks in WGSL${where}`, () => {
  test.each(Object.keys(CONFIGS))("%s gives the other backends' logits, after a prefix too", async (name) => {
    await expectSame(() => {
      const plain = tinyNetwork(CONFIGS[name]!);
      return [plain, tinyAdaptation(plain)].map(({ network }) => logits(network));
    });
  });

  test.each(["opt", "qwen3"])("%s has the other backends' gradient in every weight", async (name) => {
    await expectSame(() => {
      const { network, parameters } = tinyNetwork(CONFIGS[name]!);
      const weights = parameters.map(({ value }) => value);
      const { value, grads } = gradients(() => tf.mean(tf.square(logits(network))), weights);
      return [value, ...grads.flatMap((gradient) => gradient ?? [])];
    }, 5e-5);
  });
});
