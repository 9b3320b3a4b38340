import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { totalBytes } from "../../src/experiment/predict.ts";
import { makeRequest } from "../../src/measure/makeRequest.ts";
import { findMethod } from "../../src/measure/methods.ts";
import { loadModel } from "../../src/models/load.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { probeBackends, useBackend } from "../../src/tensor/backend.ts";
import { tensorflow } from "../../src/tensor/tensorflow/backend.ts";
import { tensorBytes } from "../../src/tensor/tensorflow/memory.ts";

const found = await probeBackends();
const { available, detail } = found.find(({ name }) => name === "tensorflow")!;

const request = makeRequest({ steps: 2, batchSize: 16, evaluateEvery: 1, shots: 4 });
const task = await loadTask("SST-2", { train: 32, dev: 8, test: 8, seed: 1 });

const METHODS = [
  ...["Zero-shot", "ICL", "LP", "FT", "FT (LoRA)", "FT (prefix)", "MeZO", "MeZO (LoRA)", "MeZO (prefix)"],
];
const CASES = ["opt-reviews", "roberta-reviews"].flatMap((id) => METHODS.map((method) => ({ id, method })));

/** TensorFlow's tensors are counted on a processor as they are on a GPU, where they are what a run records. */
describe.skipIf(!available)(`a run where tensors lie on a device${available ? "" : ` (skipped: ${detail})`}`, () => {
  beforeEach(async () => {
    await useBackend("tensorflow");
    vi.spyOn(tensorflow, "memory").mockReturnValue(tensorBytes);
  });
  afterEach(() => vi.restoreAllMocks());

  test.each(CASES.filter(({ id, method }) => !(id === "roberta-reviews" && method === "ICL")))(
    "records the device's peak, and 0.8 to 1.3 of it was predicted: $method with $id",
    async ({ id, method }) => {
      const model = await loadModel(id);
      const record = { start: () => {}, step: () => {}, score: () => {} };
      const setup = { model: async () => model, task, seed: 1, request, record, onProgress: () => {} };
      const { cost } = await findMethod(method)!.run(setup);
      expect(cost.devicePeakBytes).toBeGreaterThan(cost.predicted!.weights);
      expect(cost.predicted).not.toHaveProperty("runtime");
      const ratio = totalBytes(cost.predicted!) / cost.devicePeakBytes!;
      expect(ratio).toBeGreaterThan(0.8);
      expect(ratio).toBeLessThan(1.3);
      process.stderr.write(`RATIO ${id} ${method} ${ratio}\n`);
      model.dispose();
    },
  );
});
