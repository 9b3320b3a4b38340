import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { tokenLogProbs } from "../../../src/kernels/tokenLogProbs.ts";
import type { LoadedNetwork } from "../../../src/models/network.ts";
import { opt } from "../../../src/models/opt.ts";
import type { WeightFormat } from "../../../src/models/weights.ts";
import { packBatch } from "../../../src/nn/batch.ts";
import { features } from "../../../src/nn/run.ts";
import { probeBackends, useBackend } from "../../../src/tensor/backend.ts";
import { pairwise } from "../../../src/tensor/pair.ts";
import { gaussian, rademacher } from "../../../src/tensor/parameter.ts";
import type { NodeBackend } from "../../../src/tensor/tensorflow/operations.ts";
import { mezo } from "../../../src/tuners/mezo.ts";
import type { Objective } from "../../../src/tuners/tuner.ts";
import { randomNetwork } from "../../bench/randomNetwork.ts";
import { takeValues } from "../../values.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "tensorflow")!;

/** 2.6 million weights, the matrices much larger than what a batch's tokens take. */
const CONFIG = {
  ...{ vocab_size: 4000, max_position_embeddings: 64, hidden_size: 256, ffn_dim: 1024 },
  ...{ num_hidden_layers: 2, num_attention_heads: 4 },
};
const batch = packBatch([
  [2, 6, 7, 8],
  [2, 9, 10, 11, 12, 4],
]);

/** The loss of some tokens, at theta or on both sides of it. */
function objectiveOf(model: LoadedNetwork): Objective {
  const scores = (): tf.Tensor => {
    const targets = tf.tensor1d([3, 11], "int32");
    return tokenLogProbs(features(model, batch, [2, 7]), model.head.weight, targets, model.head.bias);
  };
  const mean = (values: Float32Array): number => -values.reduce((sum, value) => sum + value / values.length, 0);
  return {
    value: async () => mean(Float32Array.from(await takeValues(tf.tidy(scores)))),
    pair: (theta, shift) =>
      pairwise(theta, shift, async (sides) => {
        const seen = tf.tidy(scores);
        const { plus, minus } = await sides(seen);
        seen.dispose();
        return { lossPlus: mean(plus), lossMinus: mean(minus) };
      }),
  };
}

/** Bytes that go from this process to TensorFlow and back while `run` runs. */
async function countTraffic(run: () => Promise<unknown>): Promise<number> {
  const { binding } = tf.backend() as unknown as NodeBackend;
  const { createTensor, tensorDataSync } = binding;
  let bytes = 0;
  binding.createTensor = (shape, dtype, values) => {
    bytes += values.byteLength;
    return createTensor.call(binding, shape, dtype, values);
  };
  binding.tensorDataSync = (id) => {
    const values = tensorDataSync.call(binding, id);
    bytes += values.byteLength;
    return values;
  };
  try {
    await run();
  } finally {
    Object.assign(binding, { createTensor, tensorDataSync });
  }
  return bytes;
}

const CASES = (["float32", "float16"] as const).flatMap((weights) =>
  Object.entries({ gaussian, rademacher }).map(([law, noise]) => ({ weights, law, noise })),
);

describe.skipIf(!available)(`a step of MeZO on TensorFlow${available ? "" : ` (skipped: ${detail})`}`, () => {
  test.each(CASES)("brings no weight to this process or back: $weights, $law noise", async ({ weights, noise }) => {
    expect(await useBackend("tensorflow")).toBe("tensorflow");
    const model = randomNetwork(opt, CONFIG, weights satisfies WeightFormat);
    const training = mezo({ lr: 1e-3, noise, weightDecay: 0.1 }).begin(model.parameters);
    const step = (step: number): Promise<unknown> =>
      training.step(objectiveOf(model), { seed: 1, step, total: 9 }) as Promise<unknown>;
    await step(0); // what is made once and kept
    const bytes = model.parameters.reduce((sum, { value, bytes = 4 }) => sum + bytes * value.size, 0);
    const traffic = await countTraffic(() => step(1));
    expect(traffic).toBeGreaterThan(0);
    expect(traffic / bytes).toBeLessThan(0.01);
    training.dispose();
    model.dispose();
    await useBackend("native");
  });
});
