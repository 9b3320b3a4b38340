import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { tokenLogProbs } from "../../../src/kernels/tokenLogProbs.ts";
import { loadModel } from "../../../src/models/load.ts";
import { packBatch } from "../../../src/nn/batch.ts";
import { plainGradient } from "../../../src/nn/gradient.ts";
import { type BackendName, probeBackends, useBackend } from "../../../src/tensor/backend.ts";
import { tensorBytes } from "../../../src/tensor/tensorflow/memory.ts";
import { tinyModel } from "../../tiny.ts";
import { allValues } from "../../values.ts";
import { HALVES, weight } from "./weights.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "tensorflow")!;

/** What `run` gives on a backend; then native is the backend again. */
async function on<T>(backend: BackendName, run: () => Promise<T>): Promise<T> {
  expect(await useBackend(backend)).toBe(backend);
  try {
    return await run();
  } finally {
    await useBackend("native");
  }
}

describe.skipIf(!available)(`weights in 16 bits on TensorFlow${available ? "" : ` (skipped: ${detail})`}`, () => {
  test.each(HALVES)("in %s are float32 to TensorFlow.js's own operations, however they come in", async (format) => {
    await on("tensorflow", async () => {
      const x = weight(Float32Array.of(1, -2, 3, 0.5), format, "nearest", [2, 2]);
      const before = tensorBytes.now();
      const results = tf.tidy(() => [
        tf.mul(x, 2),
        tf.matMul(x, tf.ones([2, 1])),
        tf.concat([x, tf.ones([1, 2])]),
        tf.gather(x, tf.tensor1d([1, 1], "int32")),
        ...tf.unstack(x),
        tf.reshape(x, [4]),
        tf.transpose(x),
      ]);
      const values = await allValues(results);
      expect(values.map((each) => [...each])).toEqual([
        ...[
          [2, -4, 6, 1],
          [-1, 3.5],
          [1, -2, 3, 0.5, 1, 1],
          [3, 0.5, 3, 0.5],
        ],
        ...[
          [1, -2],
          [3, 0.5],
          [1, -2, 3, 0.5],
          [1, 3, -2, 0.5],
        ],
      ]);
      tf.dispose(results);
      expect([...x.dataSync(), ...(await x.data())]).toEqual([1, -2, 3, 0.5, 1, -2, 3, 0.5]);
      expect(tensorBytes.now()).toBe(before);
      x.dispose();
    });
  });

  test("have native's gradients, and leave nothing widened behind", async () => {
    const folder = tinyModel();
    const batch = packBatch([
      [2, 6, 7, 8],
      [2, 9, 10, 11, 12, 4],
    ]);
    const gradients = async (): Promise<Float32Array[]> => {
      const model = await loadModel(folder, { weights: "float16" });
      const { gradients } = await plainGradient(
        model,
        batch,
        [2, 3, 7],
        (seen) =>
          tf.neg(tf.mean(tokenLogProbs(seen, model.head.weight, tf.tensor1d([3, 11, 8], "int32"), model.head.bias))),
        model.parameters,
      );
      const values = await allValues(gradients);
      tf.dispose(gradients);
      model.dispose();
      return values;
    };
    const native = await on("native", gradients);
    const found = await on("tensorflow", gradients);
    const after = tensorBytes.now();
    expect(await on("tensorflow", gradients)).toEqual(found);
    expect(tensorBytes.now()).toBe(after);
    native.forEach((values, i) => {
      values.forEach((value, j) => expect(found[i]![j]).toBeCloseTo(value, 5));
    });
    expect(native.flatMap((values) => [...values]).some((value) => Math.abs(value) > 0.05)).toBe(true);
  });
});
