import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import "../../../src/kernels/backends.ts";
import { layerNorm } from "../../../src/kernels/norm.ts";
import { probeBackends, useBackend } from "../../../src/tensor/backend.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "tensorflow")!;

/** Rows far from 0, normalized, on the backend in use. */
const normalized = (): Float32Array =>
  tf.tidy(() => {
    const normal = (seed: number, ...shape: number[]): tf.Tensor => tf.randomNormal(shape, 5, 1, "float32", seed);
    return layerNorm(normal(1, 9, 48), normal(2, 48), normal(3, 48), 1e-12)
      .dataSync()
      .slice();
  }) as unknown as Float32Array;

test.skipIf(!available)(
  `layer norm where oneDNN's kernel is not there, as on a GPU, is native's${available ? "" : ` (skipped: ${detail})`}`,
  async () => {
    const want = normalized();
    await useBackend("tensorflow");
    Object.assign(tf.backend(), { isUsingGpuDevice: true }); // the first layer norm of a process finds out
    const got = normalized();
    Object.assign(tf.backend(), { isUsingGpuDevice: false });
    await useBackend("native");
    want.forEach((value, i) => expect(got[i]).toBeCloseTo(value, 4));
  },
);
