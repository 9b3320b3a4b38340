import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { linear } from "../../src/kernels/linear.ts";
import { loadModel } from "../../src/models/load.ts";
import { packBatch } from "../../src/nn/batch.ts";
import { features } from "../../src/nn/run.ts";
import { type BackendName, storage, useBackend } from "../../src/tensor/backend.ts";
import { fillValues, gaussian, norm, type Perturb, rademacher, update } from "../../src/tensor/parameter.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { tinyModel } from "../tiny.ts";

const batch = packBatch([
  [2, 6, 7, 8],
  [2, 9, 10, 11, 12, 4],
]);
const rows = [3, 7, 9];
const z = { seed: 3, step: 5 };

/** Values that `run` gives on a backend; then native is the backend again. */
async function on<T>(backend: BackendName, run: () => Promise<T>): Promise<T> {
  await useBackend(backend);
  try {
    return await run();
  } finally {
    await useBackend("native");
  }
}

/** Reads a tensor and disposes of it. */
async function read(tensor: tf.Tensor): Promise<number[]> {
  const values = Array.from(await tensor.data());
  tensor.dispose();
  return values;
}

async function logitsOf(folder: string): Promise<{ logits: number[]; tuned: number[]; restored: number[] }> {
  const model = await loadModel(folder);
  const logits = (): Promise<number[]> => read(tf.tidy(() => linear(features(model, batch, rows), model.head.weight)));
  const before = await logits();
  const training = mezo({ lr: 0.01 }).begin(model.parameters);
  const value = async (): Promise<number> => (await logits()).reduce((sum, v, i) => sum + v * Math.sin(i), 0);
  await training.step({ value }, { ...z, total: 10 });
  training.dispose();
  const tuned = await logits();
  model.restore();
  const restored = await logits();
  model.dispose();
  return { logits: before, tuned, restored };
}

/** 5000 weights, no whole number of groups, after +eps z, -2 eps z with a decay, and +eps z. */
async function perturbed(noise: Perturb): Promise<number[]> {
  const value = tf.tensor(
    Float32Array.from({ length: 5000 }, (_, i) => 0.1 * Math.sin(i)),
    [50, 100],
  );
  const theta = [{ name: "layer.weight", value }];
  noise(theta, 1e-3, z);
  noise(theta, -2e-3, z, 0.99);
  noise(theta, 1e-3, z);
  return read(value);
}

/** The tests that every backend passes: what native gives, it gives. */
export function backendTests(backend: BackendName): void {
  test("gives native's logits before and after a step of MeZO, and the first again when restored", async () => {
    const folder = tinyModel();
    const native = await logitsOf(folder);
    const { logits, tuned, restored } = await on(backend, () => logitsOf(folder));
    expect(restored).toEqual(logits);
    expect(Math.max(...tuned.map((v, i) => Math.abs(v - logits[i]!)))).toBeGreaterThan(0.01);
    logits.forEach((v, i) => expect(Math.abs(v - native.logits[i]!)).toBeLessThan(1e-4));
    tuned.forEach((v, i) => expect(Math.abs(v - native.tuned[i]!)).toBeLessThan(1e-3));
  });

  test.each(Object.entries({ gaussian, rademacher }))("adds %s noise with native's bits", async (_law, noise) => {
    const native = await perturbed(noise);
    expect(await on(backend, () => perturbed(noise))).toEqual(native);
    expect(new Set(native).size).toBeGreaterThan(4000);
  });

  test("sees what was written, copied and changed in place, whoever reads", async () => {
    await on(backend, async () => {
      const value = tf.ones([4, 4]) as tf.Tensor;
      const [x, other] = [tf.ones([4, 4]), tf.fill([4, 4], 5)];
      const product = (): Promise<number[]> => read(tf.matMul(x, value));
      expect((await product())[0]).toBe(4);
      fillValues(value, (values) => values.fill(2));
      expect((await product())[0]).toBe(8);
      storage().copy(other, value);
      expect((await product())[0]).toBe(20);
      await update({ name: "w", value }, other, (theta, o) => {
        for (let i = 0; i < theta.length; i++) theta[i]! += o[i]!;
      });
      expect((await product())[0]).toBe(40);
      expect(await norm([value])).toBeCloseTo(40, 4);
      tf.dispose([value, x, other]);
    });
  });

  test("has the gradient of every operation of the kit's linear layer and lookup", async () => {
    const gradients = async (): Promise<number[]> => {
      const table = tf.tensor(
        Float32Array.from({ length: 12 }, (_, i) => Math.cos(i)),
        [4, 3],
      );
      const ids = tf.tensor1d([1, 3, 1], "int32");
      const gradient = tf.tidy(() => tf.grad((t) => tf.sum(tf.square(linear(tf.gather(t, ids), t))))(table));
      tf.dispose([table, ids]);
      return read(gradient);
    };
    const native = await gradients();
    (await on(backend, gradients)).forEach((v, i) => expect(v).toBeCloseTo(native[i]!, 4));
  });
}
