import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { probeBackends, storage, useBackend } from "../../../src/tensor/backend.ts";
import { gpuMemory } from "../../../src/tensor/webgpu/memory.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "webgpu")!;

const KEY = { k0: 1, k1: 2, stream: 3 };

/** A result of a batch of some tokens, of a shader of the kit's and TensorFlow.js's own, read as a step's is. */
async function readBatch(tokens: number): Promise<number> {
  const sum = tf.tidy(() => {
    const ones = tf.fill([tokens, 1000], 1);
    storage().move([{ tensor: ones, moves: [{ key: KEY, scale: 2, keep: 0 }] }], "rademacher");
    return tf.sum(tf.abs(ones));
  });
  const [value] = await sum.data();
  sum.dispose();
  return value!;
}

describe.skipIf(!available)(`memory of the GPU${available ? ` on ${detail}` : ` (skipped: ${detail})`}`, () => {
  test("does not grow over batches of many lengths, whose freed buffers are destroyed", async () => {
    await useBackend("webgpu");
    const bytes: number[] = [];
    for (let tokens = 1; tokens <= 120; tokens++) {
      expect(await readBatch(tokens)).toBe(2000 * tokens);
      bytes.push(gpuMemory.now());
    }
    for (let i = 0; i < 20; i++) expect(await readBatch(3)).toBe(6000);
    const after = gpuMemory.now();
    expect(Math.max(...bytes)).toBeLessThan(2 * 40 * 4000 * 120); // each length's buffers together are 60 times as much
    expect(after).toBeLessThan(2 ** 20);
  });

  test("is used again by batches of one length: none is made after the first", async () => {
    await useBackend("webgpu");
    await readBatch(50);
    const now = gpuMemory.now();
    gpuMemory.resetPeak();
    for (let i = 0; i < 10; i++) await readBatch(50);
    expect(gpuMemory.now()).toBe(now);
    expect(gpuMemory.peak()).toBeLessThan(now + 4 * 50_000); // a tensor of the batch; numbers on their way are less
  });

  test("has a peak since it was reset, with weights of 16 bits half as large", async () => {
    await useBackend("webgpu");
    const held = (kind?: { format: "float16"; rounding: "nearest" }): number => {
      const before = gpuMemory.now();
      const weight = storage().weight([777, 1001], (into) => into.fill(1), kind);
      const bytes = gpuMemory.now() - before;
      expect(gpuMemory.peak()).toBeGreaterThanOrEqual(before + bytes);
      weight.dispose();
      return bytes;
    };
    expect(held()).toBe(4 * 777 * 1001);
    expect(held({ format: "float16", rounding: "nearest" })).toBe(2 * (777 * 1001 + 1));
    for (let i = 0; i < 20; i++) await readBatch(1);
    gpuMemory.resetPeak();
    expect(gpuMemory.peak()).toBe(gpuMemory.now());
  });

  test("of tensors freed within a step is used by the next of their size, before more is taken", async () => {
    await useBackend("webgpu");
    await readBatch(1);
    gpuMemory.resetPeak();
    const now = gpuMemory.now();
    const size = 2 ** 19;
    const x = tf.ones([size]);
    let last = tf.tidy(() => tf.add(x, 1));
    for (let i = 0; i < 12; i++) {
      const next = tf.add(last, 1);
      last.dispose();
      last = next;
    }
    expect((await last.data())[0]).toBe(14);
    expect(gpuMemory.peak() - now).toBeLessThan(5 * 4 * size);
    tf.dispose([x, last]);
  });
});
