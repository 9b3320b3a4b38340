import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { totalBytes } from "../../src/experiment/cost.ts";
import { makeRequest } from "../../src/measure/makeRequest.ts";
import { findMethod } from "../../src/measure/methods.ts";
import { loadModel } from "../../src/models/load.ts";
import type { WeightFormat } from "../../src/models/weights.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { probeBackends, useBackend } from "../../src/tensor/backend.ts";
import type { NodeBackend } from "../../src/tensor/tensorflow/operations.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "tensorflow")!;

const request = makeRequest({ steps: 2, batchSize: 16, evaluateEvery: 1, shots: 4 });
const task = await loadTask("SST-2", { train: 32, dev: 8, test: 8, seed: 1 });

const OPT = ["Zero-shot", "ICL", "LP", "FT", "FT (LoRA)", "FT (prefix)", "MeZO", "MeZO (LoRA)", "MeZO (prefix)"];
const ROBERTA = OPT.filter((method) => method !== "ICL");

const CASES: readonly { readonly id: string; readonly method: string; readonly weights: WeightFormat }[] = [
  ...OPT.map((method) => ({ id: "opt-reviews", method, weights: "float32" as const })),
  ...ROBERTA.map((method) => ({ id: "roberta-reviews", method, weights: "float32" as const })),
  ...["Zero-shot", "MeZO"].map((method) => ({ id: "opt-reviews", method, weights: "float16" as const })),
];

/** Has TensorFlow's operations chosen as on a GPU, where the bytes of tensors are what a run records; a processor counts the same. */
function pretendGpu(isThere: boolean): void {
  Object.assign(tf.backend() as unknown as NodeBackend, { isUsingGpuDevice: isThere });
}

describe.skipIf(!available)(`a run where tensors lie on a device${available ? "" : ` (skipped: ${detail})`}`, () => {
  let isGpu = false;
  beforeEach(async () => {
    await useBackend("tensorflow");
    isGpu = (tf.backend() as unknown as NodeBackend).isUsingGpuDevice;
    pretendGpu(true);
  });
  afterEach(() => pretendGpu(isGpu));

  test.each(CASES)(
    "records the device's peak, and the prediction is 0.8 to 1.3 of it: $method with $id in $weights",
    async ({ id, method, weights }) => {
      const model = await loadModel(id, { weights });
      const record = { start: () => {}, step: () => {}, score: () => {} };
      const setup = { model: async () => model, task, seed: 1, request, record, onProgress: () => {} };
      const { cost } = await findMethod(method)!.run(setup);
      model.dispose();
      expect(cost.devicePeakBytes).toBeGreaterThan(cost.predicted!.weights);
      expect(cost.predicted).not.toHaveProperty("runtime");
      const ratio = totalBytes(cost.predicted!) / cost.devicePeakBytes!;
      expect(ratio).toBeGreaterThan(0.8);
      expect(ratio).toBeLessThan(1.3);
    },
  );
});
