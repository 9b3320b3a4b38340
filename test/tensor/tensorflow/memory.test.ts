import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, describe, expect, test } from "vitest";
import { deviceMemory, probeBackends, useBackend } from "../../../src/tensor/backend.ts";
import { tensorBytes } from "../../../src/tensor/tensorflow/memory.ts";
import { op, toTensor, toValue, type Value, within } from "../../../src/tensor/tensorflow/operations.ts";
import { isOnGpu } from "../../../src/tensor/tensorflow/products.ts";

const found = await probeBackends();
const { available, detail } = found.find(({ name }) => name === "tensorflow")!;

/** What alive tensors take more than before, and at most on the way, in bytes. */
function counted<T>(make: () => T): { readonly result: T; readonly kept: number; readonly most: number } {
  const before = tensorBytes.now();
  tensorBytes.resetPeak();
  const result = make();
  return { result, kept: tensorBytes.now() - before, most: tensorBytes.peak() - before };
}

/** A tensor that TensorFlow holds: 16 rows of 4 KiB. */
function held(): { readonly tensor: tf.Tensor; readonly value: Value } {
  const tensor = tf.ones([16, 1024]);
  return { tensor, value: toValue(tensor) };
}

const KIB = 1024;

describe.skipIf(!available)(`bytes of TensorFlow's tensors${available ? "" : ` (skipped: ${detail})`}`, () => {
  beforeEach(async () => void (await useBackend("tensorflow")));

  test("are those of their shapes, the peak with what was freed on the way", () => {
    const { tensor, value } = held();
    const { result, kept, most } = counted(() =>
      toTensor(
        within(() =>
          op("MatMul", [op("Square", [value]), op("Square", [value])], { transpose_a: false, transpose_b: true }),
        ),
      ),
    );
    expect([kept, most]).toEqual([KIB, 129 * KIB]);
    tf.engine().makeTensorFromTensorInfo(result).dispose();
    tensor.dispose();
  });

  test("are half of float32's for those of 16 bits", () => {
    const { tensor, value } = held();
    const { most } = counted(() => void within(() => void op("Cast", [value], { DstT: { type: "float16" } })));
    expect(most).toBe(32 * KIB);
    tensor.dispose();
  });

  test("are counted once for tensors that share values, until the last of them is freed", () => {
    const { tensor } = held();
    const { result, kept } = counted(() => tf.reshape(tensor, [1024, 16]));
    expect(kept).toBe(0);
    expect(counted(() => tensor.dispose()).kept).toBe(0);
    expect(counted(() => result.dispose()).kept).toBe(-64 * KIB);
  });

  test("are nothing more for rows of a tensor, which lie in it, and their own for columns", () => {
    const { tensor } = held();
    const rows = counted(() => tf.slice(tensor, [2, 0], [3, 1024]));
    expect(rows.kept).toBe(0);
    const columns = counted(() => tf.slice(tensor, [0, 2], [16, 4]));
    expect(columns.kept).toBe(256);
    tf.dispose([tensor, rows.result, columns.result]);
  });

  test("are back where they were after a model's worth of operations", async () => {
    const before = tensorBytes.now();
    const x = tf.randomNormal<tf.Rank.R2>([8, 32], 0, 1, "float32", 1);
    const loss = tf.tidy(() => tf.mean(tf.softmax(tf.matMul(x, tf.transpose(x)))));
    await loss.data();
    tf.dispose([x, loss]);
    expect(tensorBytes.now()).toBe(before);
  });

  test("are the device's memory on a GPU alone: on a processor they lie in the process's", () => {
    expect(deviceMemory()).toBe(isOnGpu() ? tensorBytes : undefined);
  });
});
