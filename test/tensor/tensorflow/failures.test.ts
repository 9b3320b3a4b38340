import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { KitError } from "../../../src/error.ts";
import { probeBackends, useBackend } from "../../../src/tensor/backend.ts";
import { op, upload, within } from "../../../src/tensor/tensorflow/operations.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "tensorflow")!;

/** A tensor of a shape, of which TensorFlow is told on the device. */
const filled =
  (...shape: number[]): (() => void) =>
  () =>
    void within(
      () =>
        void op("Fill", [
          upload(Int32Array.from(shape), [shape.length], "int32"),
          upload(Float32Array.of(1), [], "float32"),
        ]),
    );

describe.skipIf(!available)(`what TensorFlow cannot do${available ? "" : ` (skipped: ${detail})`}`, () => {
  test("is told in one sentence: 10 TB that do not fit, and more elements than it counts", async () => {
    await useBackend("tensorflow");
    const n = 2 ** 31 - 1;
    expect(filled(1250, n)).toThrow(
      new KitError(
        `TensorFlow was asked for Fill, but a tensor [1250,${n}] of float did not fit in this machine's memory: take fewer or shorter rows at a time, or weights in 16 bits.`,
      ),
    );
    expect(filled(n, n, n)).toThrow(/^TensorFlow was asked for Fill, which has too many elements for it \([^\n]+\.$/);
    expect(tf.tidy(() => tf.sum(tf.ones([3])).arraySync())).toBe(3);
  });
});
