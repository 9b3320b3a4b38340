import * as tf from "@tensorflow/tfjs-core";
import { afterEach, describe, expect, test, vi } from "vitest";
import { loadModel } from "../../src/models/load.ts";
import { deviceMemory, probeBackends, useBackend } from "../../src/tensor/backend.ts";
import { PIECE } from "../../src/tensor/storage.ts";
import { tensorBytes } from "../../src/tensor/tensorflow/memory.ts";
import type { NodeBackend } from "../../src/tensor/tensorflow/operations.ts";
import { gpu } from "../../src/tensor/webgpu/gpu.ts";

const found = await probeBackends();
const MOST_BYTES = 4 * PIECE;

/** Bytes of every array that is handed to the device from here on. */
const WATCH: Readonly<Record<"tensorflow" | "webgpu", () => number[]>> = {
  tensorflow: () => {
    const { binding } = tf.backend() as unknown as NodeBackend;
    const sizes: number[] = [];
    const create = binding.createTensor;
    vi.spyOn(binding, "createTensor").mockImplementation((shape, dtype, values) => {
      sizes.push(values.byteLength);
      return create(shape, dtype, values);
    });
    return sizes;
  },
  webgpu: () => {
    const { queue, device } = gpu();
    const sizes: number[] = [];
    const [write, make] = [queue.writeBuffer.bind(queue), device.createBuffer.bind(device)];
    vi.spyOn(queue, "writeBuffer").mockImplementation((buffer, offset, values) => {
      sizes.push(values.byteLength);
      write(buffer, offset, values);
    });
    vi.spyOn(device, "createBuffer").mockImplementation((description) => {
      if (description.mappedAtCreation) sizes.push(description.size);
      return make(description);
    });
    return sizes;
  },
};

afterEach(() => vi.restoreAllMocks());

describe.each(["tensorflow", "webgpu"] as const)("a model's weights on %s", (name) => {
  const { available, detail } = found.find((backend) => backend.name === name)!;

  test.skipIf(!available).each(["float32", "float16"] as const)(
    `in %s go up in pieces of 1 MiB at most, read from their file one by one${available ? "" : ` (skipped: ${detail})`}`,
    async (weights) => {
      await useBackend(name);
      const sizes = WATCH[name]();
      const memory = deviceMemory() ?? tensorBytes;
      const before = memory.now();
      const model = await loadModel("opt-reviews", { weights });
      const kept = model.parameters.reduce((sum, { value, bytes = 4 }) => sum + bytes * value.size, 0);
      expect(model.parameters.some(({ value }) => 4 * value.size > MOST_BYTES)).toBe(true);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(MOST_BYTES);
      expect(sizes.reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(kept);
      expect(memory.now() - before).toBeGreaterThan(0.95 * kept); // some in buffers that were free
      expect(memory.now() - before).toBeLessThan(1.05 * kept + 2 ** 20);
      model.dispose();
    },
  );
});
