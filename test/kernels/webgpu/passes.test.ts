import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { bestTokens } from "../../../src/kernels/bestTokens.ts";
import { linear } from "../../../src/kernels/linear.ts";
import { tokenLogProbs } from "../../../src/kernels/tokenLogProbs.ts";
import { packBatch } from "../../../src/nn/batch.ts";
import { features } from "../../../src/nn/run.ts";
import { storage, useBackend } from "../../../src/tensor/backend.ts";
import { narrow, widenAll } from "../../../src/tensor/halves.ts";
import { pairwise } from "../../../src/tensor/pair.ts";
import type { HalfFormat } from "../../../src/tensor/source.ts";
import { submit } from "../../../src/tensor/webgpu/dispatch.ts";
import { gpu } from "../../../src/tensor/webgpu/gpu.ts";
import { CONFIGS, free, tinyNetwork } from "../../nn/networks.ts";
import { drawn, expectSame, isHere, where, worst } from "./compare.ts";

const batch = packBatch([
  [2, 6, 7, 8],
  [3, 9, 10, 11, 12, 4],
]);

/** Log-probabilities of some tokens at the sequences' ends, of both sides of theta. */
async function bothSides(backend: "native" | "webgpu"): Promise<Float32Array[]> {
  await useBackend(backend);
  const { network, parameters } = tinyNetwork(CONFIGS.opt!);
  const { plus, minus } = await pairwise(
    parameters,
    { law: "gaussian", eps: 1e-2, z: { seed: 1, step: 2, index: 0 } },
    (sides) => {
      const scores = tf.tidy(() =>
        tokenLogProbs(features(network, batch, [3, 9]), network.head.weight, tf.tensor1d([5, 18], "int32")),
      );
      const both = sides(scores);
      scores.dispose();
      return both;
    },
  );
  free(parameters);
  await useBackend("native");
  return [plus, minus];
}

/** Dispatches that `run` records. */
function countDispatches(run: () => tf.Tensor): number {
  const backend = gpu();
  submit(backend); // what is counted begins a pass of its own
  const begin = backend.ensureCommandEncoderReady;
  const counted = new WeakSet<object>();
  let count = 0;
  backend.ensureCommandEncoderReady = () => {
    begin.call(backend);
    const encoder = backend.commandEncoder!;
    if (counted.has(encoder)) return;
    counted.add(encoder);
    const beginPass = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = () => {
      const pass = beginPass();
      const go = pass.dispatchWorkgroups.bind(pass);
      pass.dispatchWorkgroups = (x, y, z) => {
        count++;
        go(x, y, z);
      };
      return pass;
    };
  };
  try {
    tf.tidy(run).dispose();
  } finally {
    backend.ensureCommandEncoderReady = begin;
  }
  return count;
}

/** Dispatches of a forward pass over a network of so many layers. */
async function countOf(name: string, layers: number): Promise<number> {
  await useBackend("webgpu");
  const config = { ...CONFIGS[name]!, num_hidden_layers: layers };
  const { network, parameters } = tinyNetwork(config);
  const run = (): tf.Tensor => features(network, batch, [3, 9]);
  const count = countDispatches(run);
  free(parameters);
  await useBackend("native");
  return count;
}

describe.skipIf(!isHere)(`passes in WGSL${where}`, () => {
  test.each([
    ["opt", 9],
    ["roberta", 9],
    ["llama", 13],
  ])("of %s take %i dispatches a layer", async (name, wanted) => {
    expect((await countOf(name, 4)) - (await countOf(name, 3))).toBe(wanted);
  });

  test("over both sides of theta give native's log-probabilities", async () => {
    const [native, found] = [await bothSides("native"), await bothSides("webgpu")];
    found.forEach((side, i) => expect(worst(side, native[i]!)).toBeLessThan(1e-5));
    expect(worst(native[0]!, native[1]!)).toBeGreaterThan(1e-3);
  });
});

describe.skipIf(!isHere)(`gradients of products in WGSL${where}`, () => {
  test.each([
    ["a linear map with ReLU", (x: tf.Tensor, w: tf.Tensor) => linear(x, w, { activation: "relu" })],
    ["a linear map with GELU", (x: tf.Tensor, w: tf.Tensor) => linear(x, w, { activation: "gelu" })],
    ["log-probabilities", (x: tf.Tensor, w: tf.Tensor) => tokenLogProbs(x, w, tf.range(0, 9, 1, "int32"))],
  ] as const)("of %s are the other backends'", async (_what, run) => {
    await expectSame(() => tf.grads((x, w) => tf.sum(tf.square(run(x!, w!))))([drawn(1, 9, 20), drawn(2, 13, 20)]));
  });
});

const FORMATS: readonly HalfFormat[] = ["float16", "bfloat16"];

describe.skipIf(!isHere)(`products with weights of 16 bits in WGSL${where}`, () => {
  describe.each(FORMATS)("%s", (format) => {
    test.each([
      [3, 64, 24],
      [17, 64, 24],
      [17, 33, 21],
    ])("of %i rows, [%i] by %i, are those with the same weights widened", async (rows, inner, out) => {
      await useBackend("native");
      const [x, wide] = [drawn(1, rows, inner), drawn(2, out, inner)];
      const halves = { format, rounding: "nearest", bits: new Uint16Array(wide.size) } as const;
      narrow(wide.dataSync() as Float32Array, halves, 0);
      const [values, kept] = [x.dataSync() as Float32Array, widenAll(halves)];
      tf.dispose([x, wide]);
      await useBackend("webgpu");
      const [seen, half] = [
        tf.tensor(values, [rows, inner]),
        storage().weight([out, inner], (into, from) => void into.set(kept.subarray(from, from + into.length)), {
          format,
          rounding: "nearest",
        }),
      ];
      const float = tf.tensor(kept, [out, inner]);
      const ids = tf.range(0, rows, 1, "int32");
      const of = (weight: tf.Tensor): tf.Tensor[] => [
        linear(seen, weight),
        tokenLogProbs(seen, weight, ids),
        bestTokens(seen, weight),
      ];
      const made = [...of(half), ...of(float)];
      const read = await Promise.all(made.map((tensor) => tensor.data<"float32">()));
      for (let i = 0; i < 3; i++) expect(worst(read[i]!, read[i + 3]!)).toBeLessThan(1e-6);
      tf.dispose([seen, half, float, ids, ...made]);
      await useBackend("native");
    });
  });
});
