import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { linear } from "../../../src/kernels/linear.ts";
import { loadModel } from "../../../src/models/load.ts";
import { packBatch } from "../../../src/nn/batch.ts";
import { features } from "../../../src/nn/run.ts";
import { type BackendName, probeBackends, storage, useBackend } from "../../../src/tensor/backend.ts";
import { gradients } from "../../../src/tensor/backpropagate.ts";
import { tinyModel } from "../../tiny.ts";
import { takeValues } from "../../values.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "webgpu")!;

const folder = tinyModel();
const batch = packBatch([
  [2, 6, 7, 8],
  [2, 9, 10, 11, 12, 4],
]);

/** The value of a loss of a model of 16-bit weights, and its gradient in every weight. */
async function lossAndGradients(
  backend: BackendName,
  weights: "float16" | "bfloat16",
): Promise<{ value: number[]; grads: number[][] }> {
  await useBackend(backend);
  const model = await loadModel(folder, { weights });
  const { value, grads } = gradients(
    () => tf.mean(tf.square(linear(features(model, batch, [3, 7, 9]), model.head.weight))),
    model.parameters.map(({ value }) => value),
  );
  const read: number[][] = [];
  for (const grad of grads) read.push(await takeValues(grad!));
  model.dispose();
  return { value: await takeValues(value), grads: read };
}

describe.skipIf(!available)(
  `weights of 16 bits on the GPU${available ? ` on ${detail}` : ` (skipped: ${detail})`}`,
  () => {
    test.each(["float16", "bfloat16"] as const)(
      "in %s have native's loss, and its gradient in every weight",
      async (weights) => {
        const [native, webgpu] = [await lossAndGradients("native", weights), await lossAndGradients("webgpu", weights)];
        expect(Math.abs(webgpu.value[0]! - native.value[0]!)).toBeLessThan(1e-4 * native.value[0]!);
        const largest = Math.max(...native.grads.flat().map(Math.abs));
        expect(largest).toBeGreaterThan(0.01);
        native.grads.forEach((grad, i) => {
          grad.forEach((g, j) => expect(Math.abs(webgpu.grads[i]![j]! - g)).toBeLessThan(1e-4 * largest));
        });
      },
    );

    test("are seen in float32 by every operation of TensorFlow.js, in their shape, and leave no buffer behind", async () => {
      await useBackend("webgpu");
      const weight = storage().weight([2, 3], (into) => into.set([1, 2, 3, 4, 5, 6.5]), {
        format: "bfloat16",
        rounding: "nearest",
      });
      const both = await takeValues(tf.tidy(() => tf.concat([tf.transpose(weight), tf.reshape(weight, [3, 2])])));
      expect(both).toEqual([1, 4, 2, 5, 3, 6.5, 1, 2, 3, 4, 5, 6.5]);
      expect(await takeValues(tf.tidy(() => tf.matMul(weight, weight, false, true)))).toEqual([14, 33.5, 33.5, 83.25]);
      expect(await takeValues(tf.tidy(() => tf.gather(weight, tf.tensor1d([1, 1], "int32"))))).toEqual([
        4, 5, 6.5, 4, 5, 6.5,
      ]);
      expect(await takeValues(tf.clone(weight))).toEqual([1, 2, 3, 4, 5, 6.5]);
      weight.dispose();
    });
  },
);
