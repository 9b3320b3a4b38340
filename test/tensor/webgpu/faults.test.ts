import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { KitError } from "../../../src/error.ts";
import { probeBackends, storage, useBackend } from "../../../src/tensor/backend.ts";
import { dispatch } from "../../../src/tensor/webgpu/dispatch.ts";
import { faultsOf } from "../../../src/tensor/webgpu/faults.ts";
import { type GpuBuffer, type GpuDevice, gpu, USAGE } from "../../../src/tensor/webgpu/gpu.ts";
import { gpuMemory, watchBuffers } from "../../../src/tensor/webgpu/memory.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "webgpu")!;

const fails = async (run: () => unknown): Promise<string> => {
  try {
    await run();
  } catch (error) {
    expect(error).toBeInstanceOf(KitError);
    return (error as Error).message;
  }
  return "nothing was thrown";
};

/** A device that answers as a test says, for what a software GPU cannot do. */
function scriptedDevice(limits: Record<string, number>) {
  let listener: (event: { error: { message: string } }) => void = () => {};
  let lose: (info: { reason: string; message: string }) => void = () => {};
  const made: number[] = [];
  const answers: ({ message: string } | null)[] = [];
  const device = {
    limits,
    lost: new Promise((resolve) => {
      lose = resolve;
    }),
    addEventListener: (_: string, listen: typeof listener) => {
      listener = listen;
    },
    createBuffer: ({ size }: { size: number }) => {
      made.push(size);
      return { size, destroy: () => {} } as GpuBuffer;
    },
    pushErrorScope: () => {},
    popErrorScope: () => Promise.resolve(answers.shift() ?? null),
  } as unknown as GpuDevice;
  watchBuffers(device);
  return { device, made, answers, refuse: (message: string) => listener({ error: { message } }), lose };
}

describe("a device", () => {
  const limits = { maxBufferSize: 1000, maxStorageBufferBindingSize: 600 };

  test("is not asked for a buffer beyond its limits", () => {
    const { device, made } = scriptedDevice(limits);
    expect(() => device.createBuffer({ size: 604, usage: USAGE.storage })).toThrow(
      "A tensor of 604 bytes was asked for on the GPU, which takes at most 600 in one (maxStorageBufferBindingSize): take smaller batches, weights in 16 bits, or another backend.",
    );
    expect(() => device.createBuffer({ size: 1004, usage: USAGE.mapRead })).toThrow(
      "at most 1,000 in one (maxBufferSize)",
    );
    device.createBuffer({ size: 600, usage: USAGE.storage });
    device.createBuffer({ size: 1000, usage: USAGE.mapRead });
    expect(made).toEqual([600, 1000]);
  });

  test("without memory for a buffer makes who reads next throw, once", async () => {
    const { device, answers, refuse } = scriptedDevice(limits);
    const faults = faultsOf(device);
    answers.push(null, { message: "out of memory" });
    device.createBuffer({ size: 8, usage: USAGE.storage });
    await faults.settle();
    device.createBuffer({ size: 500, usage: USAGE.storage });
    refuse("Buffer is invalid.");
    expect(await fails(faults.settle)).toMatch(
      /^The GPU has no memory for 500 bytes more, beside the [\d,]+ in use there: take/,
    );
    await faults.settle();
  });

  test("without memory that this process sees throws at once", () => {
    const { device } = scriptedDevice(limits);
    const full = {
      ...device,
      createBuffer: () => {
        throw new RangeError("createBuffer failed");
      },
    } as unknown as GpuDevice;
    watchBuffers(full);
    expect(() => full.createBuffer({ size: 64, usage: USAGE.storage, mappedAtCreation: true })).toThrow(
      "The GPU has no memory for 64 bytes more",
    );
  });

  test("that refuses a command makes the next check throw the first reason", () => {
    const { device, refuse } = scriptedDevice(limits);
    refuse("Buffer is invalid.\n - While calling Submit");
    refuse("Another");
    expect(() => faultsOf(device).check()).toThrow(
      "The GPU refused a command (Buffer is invalid), so what was computed with it is void",
    );
    faultsOf(device).check();
  });

  test("that is lost makes every check throw, with its reason and how to go on", async () => {
    const { device, lose } = scriptedDevice(limits);
    lose({ reason: "unknown", message: "the driver was reset" });
    const error = await faultsOf(device).explain(new Error("mapAsync"));
    expect((error as Error).message).toMatch(/^The GPU was lost \(unknown: the driver was reset\): .*--resume/);
    for (const _ of [1, 2]) expect(() => faultsOf(device).check()).toThrow("The GPU was lost");
  });

  test("has its buffers counted, until they are destroyed, and their peak", () => {
    const { device } = scriptedDevice(limits);
    const before = gpuMemory.now();
    const buffers = [100, 200].map((size) => device.createBuffer({ size, usage: USAGE.storage }));
    expect(gpuMemory.now()).toBe(before + 300);
    for (const buffer of [buffers[1]!, buffers[1]!, buffers[0]!]) buffer.destroy();
    expect(gpuMemory.now()).toBe(before);
    expect(gpuMemory.peak()).toBeGreaterThanOrEqual(before + 300);
  });
});

describe.skipIf(!available)(`faults on the GPU${available ? ` on ${detail}` : ` (skipped: ${detail})`}`, () => {
  test("a tensor or weight beyond the device's limit is refused before it is made, in a sentence", async () => {
    await useBackend("webgpu");
    const most = gpu().device.limits.maxStorageBufferBindingSize!;
    const sentence = `A tensor of ${(most + 4).toLocaleString("en-US")} bytes was asked for on the GPU, which takes at most ${most.toLocaleString("en-US")} in one`;
    const bytes = gpuMemory.now();
    expect(await fails(() => tf.tidy(() => tf.fill([most / 4 + 1], 2)))).toContain(sentence);
    let reads = 0;
    expect(await fails(() => storage().weight([most / 4 + 1], () => reads++))).toContain(sentence);
    expect([reads, gpuMemory.now()]).toEqual([0, bytes]);
  });

  test("a shader that does not compile makes the next read throw, and only that", async () => {
    await useBackend("webgpu");
    const x = tf.tensor1d([1, 2]);
    const wrong =
      "@group(0) @binding(0) var<storage, read_write> x : array<f32>; @compute @workgroup_size(1) fn main() { x[0] = nothing; }";
    dispatch({ name: "test wrong", code: wrong }, { buffers: [x], params: {}, groups: [1] });
    const y = tf.mul(x, 2);
    expect(await fails(() => y.data())).toMatch(/^The GPU refused a command \(.*'nothing'/);
    const z = tf.mul(x, 3);
    expect(Array.from(await z.data())).toEqual([3, 6]);
    tf.dispose([x, y, z]);
  });

  test("a lost device makes every read, weight and move throw with its reason, resumably", async () => {
    await useBackend("webgpu");
    const tensor = storage().weight([100], (into) => into.fill(1));
    const before = tf.mul(tensor, 2);
    const lost = /^The GPU was lost \(destroyed.*--resume/;
    const other = tf.mul(before, 2);
    const sent = other.data();
    sent.catch(() => {});
    gpu().device.destroy();
    expect(await fails(() => sent)).toMatch(lost);
    expect(await fails(() => before.data())).toMatch(lost);
    const after = tf.mul(tensor, 2);
    expect(await fails(() => after.data())).toMatch(lost);
    const fresh = (): Promise<unknown> => {
      const product = tf.tidy(() => tf.mul(tf.tensor1d([1, 2, 3, 4, 5, 6, 7]), tf.fill([7], 3)));
      return product.data().finally(() => product.dispose());
    };
    expect(await fails(fresh)).toMatch(lost);
    const key = { k0: 1, k1: 2, stream: 3 };
    expect(await fails(() => storage().weight([100], (into) => into.fill(1)))).toMatch(lost);
    expect(await fails(() => storage().move([{ tensor, moves: [{ key, scale: 1, keep: 1 }] }], "gaussian"))).toMatch(
      lost,
    );
    expect(await fails(() => storage().sides([{ tensor, key }], 1, "gaussian"))).toMatch(lost);
    expect(
      await fails(async () => {
        for await (const _ of storage().read(tensor));
      }),
    ).toMatch(lost);
    tf.dispose([tensor, before, other, after]);
  });
});
