import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { probeBackends, useBackend } from "../../src/tensor/backend.ts";
import { tensorflow } from "../../src/tensor/tensorflow/backend.ts";
import { backendTests } from "./backendChecks.ts";

describe.each(["cpu", "wasm"] as const)("the backend %s", (backend) => {
  backendTests(backend);
});

const found = await probeBackends();
const { available, detail } = found.find(({ name }) => name === "tensorflow")!;

describe.skipIf(!available)(`the backend tensorflow${available ? "" : ` (skipped: ${detail})`}`, () => {
  backendTests("tensorflow");
});

test("every backend says what it runs on, or in one sentence why it does not; the one in use stays", async () => {
  await useBackend("cpu");
  for (const { name, available, detail } of await probeBackends()) {
    if (["native", "cpu", "wasm"].includes(name)) expect(available).toBe(true);
    expect(detail).not.toBe("");
    if (!available) expect(detail).toMatch(/^[^\n]+\.$/);
  }
  expect(tf.getBackend()).toBe("cpu");
  await useBackend("native");
});

/** A stand-in for the Node backend of TensorFlow.js, with one tensor that TensorFlow holds under number 7. */
class Stand extends tf.KernelBackend {
  readonly deleted: number[] = [];
  readonly entry = { id: 7, values: null as Float32Array | null };
  readonly tensorMap = { get: () => this.entry };
  readonly binding = { deleteTensor: (id: number) => this.deleted.push(id) };
  override dispose = (): void => {};
  override readSync = (): Float32Array => this.entry.values ?? Float32Array.of(1, 2);
}

test.skipIf(available)(
  "the tensorflow backend puts new values in the old ones' place, which it gives back",
  async () => {
    const stand = new Stand();
    tf.registerBackend("tensorflow", () => stand);
    await tf.setBackend("tensorflow");
    const tensor = { dataId: {}, shape: [2], dtype: "float32" as const };
    tensorflow.storage.move(
      [{ tensor, moves: [{ key: { k0: 1, k1: 2, stream: 3 }, scale: 4, keep: 1 }] }],
      "rademacher",
    );
    expect(stand.deleted).toEqual([7]);
    expect([...stand.entry.values!].map((v, i) => Math.abs(v - [1, 2][i]!))).toEqual([4, 4]);
    tensorflow.storage.fill(tensor, (values) => values.set([3, 4]));
    expect([stand.entry.id, ...stand.entry.values!]).toEqual([-1, 3, 4]);
    expect(stand.deleted).toEqual([7]);
    await useBackend("native");
    tf.removeBackend("tensorflow");
  },
);
