import "@tensorflow/tfjs"; // the gradients of all operations, of which the reference compositions are made
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { attention } from "../../src/kernels/attention.ts";
import { columns } from "../../src/kernels/columns.ts";
import "../../src/kernels/backends.ts";
import { activate } from "../../src/kernels/elementwise.ts";
import { embed } from "../../src/kernels/embed.ts";
import { feedForward } from "../../src/kernels/feedForward.ts";
import { linear } from "../../src/kernels/linear.ts";
import { layerNorm, rmsNorm } from "../../src/kernels/norm.ts";
import { type Angles, rotary } from "../../src/kernels/rotary.ts";
import { tokenLogProbs } from "../../src/kernels/tokenLogProbs.ts";
import { probeBackends, useBackend } from "../../src/tensor/backend.ts";
import { viewTensor } from "../../src/tensor/native/backend.ts";
import { poolBytes } from "../../src/tensor/native/pool.ts";
import { BACKEND, describeWhere, NATIVES_OWN } from "../backend.ts";
import { setValues, takeValues, valuesOf } from "../values.ts";

/** Seeded normals of a shape. */
const normal = (seed: number, ...shape: number[]): tf.Tensor => tf.randomNormal(shape, 0, 1, "float32", seed);
const ids = (...values: number[]): tf.Tensor1D => tf.tensor1d(values, "int32");

/** Attention of tokens that see their own sequence alone. */
const causal = (lengths: readonly number[], keyLengths = lengths) => ({ lengths, keyLengths, heads: 2, causal: true });

/** Angles of 5 rows, 2 pairs a head. */
const angles: Angles = {
  cos: Float32Array.from({ length: 10 }, (_, i) => Math.cos(0.7 * i)),
  sin: Float32Array.from({ length: 10 }, (_, i) => Math.sin(0.7 * i)),
  pairs: 2,
};

/** Operations by name: the differentiable inputs, and the operation as a function of them. */
const operations: Record<string, { inputs: () => tf.Tensor[]; run: (...inputs: tf.Tensor[]) => tf.Tensor }> = {
  linear: { inputs: () => [normal(1, 5, 8), normal(2, 3, 8)], run: (x, w) => linear(x!, w!) },
  "linear with bias and ReLU": {
    inputs: () => [normal(1, 5, 8), normal(2, 3, 8), normal(3, 3)],
    run: (x, w, bias) => linear(x!, w!, { bias: bias!, activation: "relu" }),
  },
  "linear with bias and residual": {
    inputs: () => [normal(1, 5, 8), normal(2, 3, 8), normal(3, 3), normal(4, 5, 3)],
    run: (x, w, bias, residual) => linear(x!, w!, { bias: bias!, residual: residual! }),
  },
  ...Object.fromEntries(
    (["gelu", "gelu_new", "silu"] as const).flatMap((activation) => [
      [
        `linear with bias and ${activation}`,
        {
          inputs: () => [normal(1, 5, 8), normal(2, 3, 8), normal(3, 3)],
          run: (x: tf.Tensor, w: tf.Tensor, bias: tf.Tensor) => linear(x, w, { bias, activation }),
        },
      ],
      [
        `linear with ${activation} and no bias`,
        {
          inputs: () => [normal(1, 5, 8), normal(2, 3, 8)],
          run: (x: tf.Tensor, w: tf.Tensor) => linear(x, w, { activation }),
        },
      ],
    ]),
  ),
  ...Object.fromEntries(
    (["relu", "gelu", "gelu_new", "silu"] as const).map((activation) => [
      activation,
      { inputs: () => [normal(1, 5, 8)], run: (x: tf.Tensor) => activate(x, activation) },
    ]),
  ),
  ...Object.fromEntries(
    (["relu", "gelu", "gelu_new"] as const).map((activation) => [
      `feedForward with ${activation}`,
      {
        inputs: () => [
          normal(1, 5, 8),
          normal(2, 12, 8),
          normal(3, 12),
          normal(4, 6, 12),
          normal(5, 6),
          normal(6, 5, 6),
        ],
        run: (...[x, up, upBias, down, downBias, residual]: tf.Tensor[]) =>
          feedForward(x!, { up: up!, upBias: upBias!, down: down!, downBias: downBias! }, activation, residual!),
      },
    ]),
  ),
  columns: { inputs: () => [normal(1, 5, 8)], run: (x) => columns(x!, 2, 5) },
  "rmsNorm of heads": { inputs: () => [normal(1, 5, 8), normal(2, 4)], run: (x, w) => rmsNorm(x!, w!, 1e-5) },
  rmsNorm: { inputs: () => [normal(1, 5, 8), normal(2, 8)], run: (x, w) => rmsNorm(x!, w!, 1e-5) },
  rotary: { inputs: () => [normal(1, 5, 8)], run: (x) => rotary(x!, angles) },
  "layerNorm with a large epsilon": {
    inputs: () => [normal(1, 5, 8), normal(2, 8), normal(3, 8)],
    run: (x, w, b) => layerNorm(x!, w!, b!, 0.5),
  },
  layerNorm: { inputs: () => [normal(1, 5, 8), normal(2, 8), normal(3, 8)], run: (x, w, b) => layerNorm(x!, w!, b!) },
  embed: { inputs: () => [normal(1, 6, 4)], run: (table) => embed(ids(5, 0, 5, 2), table!) },
  "attention of ragged sequences": {
    inputs: () => [normal(1, 12, 8), normal(2, 12, 8), normal(3, 12, 8)],
    run: (q, k, v) => attention(q!, k!, v!, causal([2, 2, 1, 7])),
  },
  "attention to all tokens of ragged sequences": {
    inputs: () => [normal(1, 12, 8), normal(2, 12, 8), normal(3, 12, 8)],
    run: (q, k, v) => attention(q!, k!, v!, { ...causal([2, 2, 1, 7]), causal: false }),
  },
  "attention with keys before the queries'": {
    inputs: () => [normal(1, 9, 8), normal(2, 17, 8), normal(3, 17, 8)],
    run: (q, k, v) => attention(q!, k!, v!, causal([2, 2, 1, 4], [5, 5, 3, 4])),
  },
  "attention to all keys, more than queries": {
    inputs: () => [normal(1, 9, 8), normal(2, 17, 8), normal(3, 17, 8)],
    run: (q, k, v) => attention(q!, k!, v!, { ...causal([2, 2, 1, 4], [5, 5, 3, 4]), causal: false }),
  },
  "attention of heads that share keys": {
    inputs: () => [normal(1, 9, 16), normal(2, 17, 8), normal(3, 17, 8)],
    run: (q, k, v) => attention(q!, k!, v!, { ...causal([2, 2, 1, 4], [5, 5, 3, 4]), heads: 4 }),
  },
  "tokenLogProbs with a bias": {
    inputs: () => [normal(1, 4, 8), normal(2, 11, 8), normal(3, 11)],
    run: (features, table, bias) => tokenLogProbs(features!, table!, ids(0, 10, 3, 3), bias!),
  },
  tokenLogProbs: {
    inputs: () => [normal(1, 4, 8), normal(2, 11, 8)],
    run: (features, table) => tokenLogProbs(features!, table!, ids(0, 10, 3, 3)),
  },
};

/** Values of the result, then of the gradient of a weighted sum of the result in every input. */
function valuesAndGradients({ inputs, run }: (typeof operations)[string]): Promise<number[][]> {
  const tensors = tf.tidy(() => {
    const at = inputs();
    const weighted = (...xs: tf.Tensor[]): tf.Tensor => {
      const y = run(...xs);
      return tf.sum(tf.mul(y, normal(9, ...y.shape)));
    };
    return [run(...at), ...tf.grads(weighted)(at)];
  });
  return Promise.all(tensors.map(takeValues));
}

/** How many tensors TensorFlow holds. */
const countTensors = (): number =>
  (tf.backend() as unknown as { binding: { getNumOfTensors(): number } }).binding.getNumOfTensors();

/** The backends that have kernels of their own for these operations, and the one that is tested; why one is not here, where it is not. */
const found = (await probeBackends()).filter(({ name }) => ["native", "tensorflow", BACKEND].includes(name));

describe.each(found)("the backend $name", ({ name: backend, available, detail }) => {
  describe.each(Object.entries(operations))("%s", (_name, operation) => {
    test.skipIf(!available)(
      `gives what its reference composition gives on the cpu backend, gradients too${available ? "" : ` (skipped: ${detail})`}`,
      async () => {
        await useBackend(backend);
        const own = await valuesAndGradients(operation);
        await useBackend("cpu");
        const reference = await valuesAndGradients(operation);
        expect(own.length).toBe(reference.length);
        for (const [i, values] of reference.entries()) {
          expect(values.some((v) => v !== 0)).toBe(true);
          expect(own[i]!.length).toBe(values.length);
          for (const [j, v] of values.entries()) expect(own[i]![j]).toBeCloseTo(v, 4);
        }
        await useBackend(BACKEND);
      },
    );
  });
});

const onTensorflow = found.find(({ name }) => name === "tensorflow")!;

test.skipIf(!onTensorflow.available)(
  `on TensorFlow no operation leaves a tensor behind, nor does its gradient${onTensorflow.available ? "" : ` (skipped: ${onTensorflow.detail})`}`,
  async () => {
    await useBackend("tensorflow");
    for (const [name, operation] of Object.entries(operations)) {
      await valuesAndGradients(operation); // what is made once and lasts is there after this
      const before = countTensors();
      await valuesAndGradients(operation);
      expect(countTensors(), name).toBe(before);
    }
    await useBackend(BACKEND);
  },
);

/** A weighted sum of an operation's result, at inputs given as plain numbers. */
async function weightedSum(
  { inputs, run }: (typeof operations)[string],
  at: readonly (readonly number[])[],
): Promise<number> {
  const value = tf.tidy(() => {
    const xs = inputs().map((x, i) => tf.tensor(at[i] as number[], x.shape));
    const y = run(...xs);
    return tf.mul(y, normal(9, ...y.shape));
  });
  return (await takeValues(value)).reduce((a, b) => a + b, 0);
}

describe.each(Object.entries(operations))("%s", (_name, operation) => {
  test("has the gradient that differences of its values give", async () => {
    const at = await Promise.all(tf.tidy(() => operation.inputs()).map(takeValues));
    const [, ...gradients] = await valuesAndGradients(operation);
    const step = 1 / 128;
    for (const [input, values] of at.entries()) {
      for (const j of [0, Math.floor(values.length / 2), values.length - 1]) {
        const moved = (by: number): number[][] =>
          at.map((of, i) => (i === input ? of.map((v, n) => (n === j ? v + by : v)) : of));
        const [plus, minus] = [await weightedSum(operation, moved(step)), await weightedSum(operation, moved(-step))];
        const difference = (plus! - minus!) / (2 * step);
        expect(Math.abs(gradients[input]![j]! - difference)).toBeLessThan(0.01 + 0.01 * Math.abs(difference));
      }
    }
  });
});

describe("the backend", () => {
  test("sees a weight that was changed in place at the next call", async () => {
    const [weight, x] = [tf.ones([3, 4]), tf.ones([2, 4])];
    expect((await takeValues(linear(x, weight)))[0]).toBe(4);
    setValues(weight, new Float32Array(12).fill(2));
    expect((await takeValues(linear(x, weight)))[0]).toBe(8);
    tf.dispose([weight, x]);
  });

  test("attends within a sequence only: a neighbour in the batch changes nothing", async () => {
    const [together, alone] = tf.tidy(() => {
      const [q, k, v] = [1, 2, 3].map((seed) => normal(seed, 9, 8));
      return [
        tf.slice(attention(q!, k!, v!, causal([4, 5])), [4, 0]),
        attention(tf.slice(q!, [4, 0]), tf.slice(k!, [4, 0]), tf.slice(v!, [4, 0]), causal([5])),
      ];
    });
    expect(await takeValues(together!)).toEqual(await takeValues(alone!));
  });

  test("gives a copy of a weight's values to who reads them", async () => {
    const weight = tf.ones([4]);
    const read = await valuesOf(weight);
    setValues(weight, new Float32Array(4).fill(2));
    expect([...read]).toEqual([1, 1, 1, 1]);
    weight.dispose();
  });
});

describeWhere(NATIVES_OWN, "the native backend", () => {
  test("writes results into the buffers of tensors that are gone, and not into values that were read", () => {
    const x = tf.ones([64, 64]);
    const first = linear(x, x);
    const values = first.dataSync() as Float32Array;
    const { buffer } = viewTensor(first).values;
    first.dispose();
    const second = linear(x, x, { residual: x });
    expect(viewTensor(second).values.buffer === buffer).toBe(true);
    expect(values.every((v) => v === 64)).toBe(true);
    tf.dispose([x, second]);
  });

  test("keeps a slice as it is when what it was cut from is gone, and the other way round", () => {
    const x = tf.ones([64, 64]);
    const source = linear(x, x);
    const slice = tf.slice(source, [8, 0], [4, 64]);
    slice.dispose();
    const kept = tf.slice(source, [0, 0], [4, 64]);
    const other = tf.mul(x, 3);
    expect((source.dataSync() as Float32Array).every((v) => v === 64)).toBe(true);
    source.dispose();
    const another = linear(x, x, { residual: x });
    expect((kept.dataSync() as Float32Array).every((v) => v === 64)).toBe(true);
    tf.dispose([x, kept, other, another]);
  });

  test("gives a copy of a weight's values to who reads them", () => {
    const weight = tf.ones([4]);
    const read = weight.dataSync();
    viewTensor(weight).values.fill(2);
    expect([...(read as Float32Array)]).toEqual([1, 1, 1, 1]);
    weight.dispose();
  });

  test("leaves nothing behind when a graph fails", () => {
    const table = tf.ones([3, 4]);
    const beyond = ids(7);
    const before = poolBytes().inUse;
    expect(() => embed(beyond, table)).toThrow();
    expect(poolBytes().inUse).toBe(before);
    tf.dispose([table, beyond]);
  });

  test("refuses a name that is no backend, and a number of threads that is none", async () => {
    await expect(useBackend("constructor" as "cpu")).rejects.toThrow(
      /no backend has that name; choose one of native, cpu/,
    );
    await expect(useBackend("cpu", { products: "bf16" })).rejects.toThrow(/bf16 products were asked for on the cpu/);
    await expect(useBackend("native", { threads: 0 })).rejects.toThrow(/0 threads were asked for/);
    expect(tf.getBackend()).toBe("native");
  });
});
