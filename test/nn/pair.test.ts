import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import type { AdaptableNetwork } from "../../src/adapters/adapter.ts";
import { headTuning } from "../../src/adapters/head.ts";
import { lora } from "../../src/adapters/lora.ts";
import { prefix } from "../../src/adapters/prefix.ts";
import { embed } from "../../src/kernels/embed.ts";
import { feedForward } from "../../src/kernels/feedForward.ts";
import { tokenLogProbs } from "../../src/kernels/tokenLogProbs.ts";
import type { Network } from "../../src/nn/network.ts";
import { features } from "../../src/nn/run.ts";
import { useBackend } from "../../src/tensor/backend.ts";
import { lowRank } from "../../src/tensor/factors.ts";
import { beside, pairwise } from "../../src/tensor/pair.ts";
import type { Law, Parameter } from "../../src/tensor/parameter.ts";
import { gaussian, rademacher } from "../../src/tensor/parameter.ts";
import { BATCH, FAMILIES, ROWS, withNetwork } from "../adapters/networks.ts";
import { BACKEND } from "../backend.ts";
import { allValues, setValues, takeValues } from "../values.ts";

const AT = { seed: 2, vocabulary: 32 };
const Z = { seed: 8, step: 1 };
const EPS = 0.05;
const LAWS = { gaussian, rademacher } as const;

/** What is trained: all weights, some, or an adapter's. */
const TRAINED = {
  "all weights": (network: AdaptableNetwork) => ({ parameters: network.parameters, dispose: () => {} }),
  "every second weight": ({ parameters }: AdaptableNetwork) => ({
    parameters: parameters.filter((_, i) => i % 2 === 0),
    dispose: () => {},
  }),
  LoRA: (network: AdaptableNetwork) => lora({ rank: 2, alpha: 4 }).begin(network, AT),
  "LoRA of all linear maps": (network: AdaptableNetwork) =>
    lora({ rank: 2, alpha: 4, targets: "all-linear" }).begin(network, AT),
  "the prefix": (network: AdaptableNetwork) => prefix({ length: 3 }).begin(network, AT),
  "the head": (network: AdaptableNetwork) => headTuning().begin(network, AT),
} as const;

/** Log-probabilities after some tokens: through the whole network and its head. */
const body = (network: Network) => (): tf.Tensor1D => {
  const seen = features(network, BATCH, ROWS);
  const ids = tf.tensor1d(
    Array.from({ length: seen.shape[0] }, (_, i) => i),
    "int32",
  );
  return tokenLogProbs(seen, network.head.weight, ids, network.head.bias);
};

const thetaOf = (theta: readonly Parameter[]): Promise<Float32Array[]> => allValues(theta.map(({ value }) => value));

async function valuesAt(
  theta: readonly Parameter[],
  scale: number,
  law: keyof typeof LAWS,
  run: () => tf.Tensor,
): Promise<number[]> {
  const before = await thetaOf(theta);
  LAWS[law](theta, scale, Z);
  const values = await takeValues(tf.tidy(run));
  theta.forEach(({ value }, i) => setValues(value, before[i]!));
  return values;
}

const bothAt = (theta: readonly Parameter[], law: keyof typeof LAWS, run: () => tf.Tensor) =>
  pairwise(theta, { law, eps: EPS, z: Z }, (sides) => {
    const tensor = tf.tidy(run);
    const both = sides(tensor);
    tensor.dispose();
    return both;
  });

const oneAt = (theta: readonly Parameter[], law: Law, eps: number, run: () => tf.Tensor) =>
  beside(theta, { law, eps, z: Z }, (read) => {
    const tensor = tf.tidy(run);
    const values = read(tensor);
    tensor.dispose();
    return values;
  });

describe.each(FAMILIES)("one side of %s alone", (family) => {
  test.each(Object.entries(TRAINED))("is, to the bit, what moved weights give, for %s", (_what, begin) =>
    withNetwork(family, async (network) => {
      const { parameters, dispose, ...adaptation } = begin(network);
      const whole = { ...network, adaptation: {}, ...adaptation } as Network;
      const bits = await thetaOf(parameters);
      for (const [law, eps] of [["gaussian", EPS] as const, ["rademacher", -EPS] as const]) {
        const tensors = tf.memory().numTensors;
        const found = await oneAt(parameters, law, eps, body(whole));
        expect(tf.memory().numTensors).toBe(tensors);
        expect(await thetaOf(parameters)).toEqual(bits);
        expect([...found]).toEqual(await valuesAt(parameters, eps, law, body(whole)));
      }
      dispose();
    }),
  );
});

describe.each(FAMILIES)("both sides of %s in one pass", (family) => {
  describe.each(Object.entries(TRAINED))("for %s", (_what, begin) => {
    test.each(["gaussian", "rademacher"] as const)("are, to the bit, what moved weights give, %s noise", (law) =>
      withNetwork(family, async (network) => {
        const trained = begin(network);
        const whole = { ...network, adaptation: {}, ...trained } as Network;
        const bits = await thetaOf(trained.parameters);
        const tensors = tf.memory().numTensors;
        const { plus, minus } = await bothAt(trained.parameters, law, body(whole));
        expect(tf.memory().numTensors).toBe(tensors);
        expect(await thetaOf(trained.parameters)).toEqual(bits);
        expect([...plus]).toEqual(await valuesAt(trained.parameters, +EPS, law, body(whole)));
        expect([...minus]).toEqual(await valuesAt(trained.parameters, -EPS, law, body(whole)));
        expect(plus).not.toEqual(minus);
        trained.dispose();
      }),
    );
  });
});

describe("both sides in one pass", () => {
  const table = (rows: number, width: number): Parameter => ({
    name: "table",
    value: tf.randomNormal([rows, width], 0, 1, "float32", 1),
  });

  test("of a vocabulary of several tiles are what moved weights give, the bias moved too", async () => {
    const [head, bias] = [table(9001, 4), { name: "bias", value: tf.randomNormal([9001], 0, 1, "float32", 2) }];
    const seen = tf.randomNormal([3, 4], 0, 1, "float32", 3);
    const run = (): tf.Tensor => tokenLogProbs(seen, head.value, tf.tensor1d([0, 4096, 9000], "int32"), bias.value);
    const { plus, minus } = await bothAt([head, bias], "gaussian", run);
    expect([...plus]).toEqual(await valuesAt([head, bias], +EPS, "gaussian", run));
    expect([...minus]).toEqual(await valuesAt([head, bias], -EPS, "gaussian", run));
    tf.dispose([head.value, bias.value, seen]);
  });

  test("refuse a tensor that no fused operation made, since its other side is lost", () => {
    const weight = table(4, 3);
    const run = (): tf.Tensor => {
      const rows = tf.mul(embed(tf.tensor1d([1], "int32"), weight.value), 2);
      return tokenLogProbs(rows, weight.value, tf.tensor1d([0], "int32"));
    };
    expect(() => bothAt([weight], "gaussian", run)).toThrow(
      /both sides met a tensor of shape \[1,3\] that no fused operation made/,
    );
    weight.value.dispose();
  });

  test("are the same on TensorFlow.js's own backend, to its rounding", async () => {
    const both: number[][] = [];
    for (const backend of [BACKEND, "cpu"] as const) {
      await useBackend(backend);
      const weight = table(40, 8);
      const run = (): tf.Tensor =>
        tokenLogProbs(embed(tf.tensor1d([1, 7], "int32"), weight.value), weight.value, tf.tensor1d([0, 39], "int32"));
      both.push(Object.values(await bothAt([weight], "gaussian", run)).flatMap((side) => [...side]));
      weight.value.dispose();
    }
    await useBackend(BACKEND);
    both[0]!.forEach((v, i) => expect(both[1]![i]).toBeCloseTo(v, 5));
  });
});

const LOW_RANK = lowRank({ rank: 3, interval: 10 });

test.each(FAMILIES)("both sides of %s along a z of low rank are what moved weights give", (family) =>
  withNetwork(family, async (network) => {
    const [theta, run] = [network.parameters, body(network as unknown as Network)];
    const tensors = tf.memory().numTensors;
    const found = await pairwise(theta, { law: LOW_RANK.law!, eps: EPS, z: Z }, (sides) => {
      const tensor = tf.tidy(run);
      const both = sides(tensor);
      tensor.dispose();
      return both;
    });
    expect(tf.memory().numTensors).toBe(tensors);
    const alone = {
      plus: await oneAt(theta, LOW_RANK.law!, EPS, run),
      minus: await oneAt(theta, LOW_RANK.law!, -EPS, run),
    };
    expect(tf.memory().numTensors).toBe(tensors);
    for (const [side, scale] of [["plus", EPS] as const, ["minus", -EPS] as const]) {
      const before = await thetaOf(theta);
      LOW_RANK(theta, scale, Z);
      const moved = await takeValues(tf.tidy(run));
      theta.forEach(({ value }, i) => setValues(value, before[i]!));
      for (const { [side]: values } of [found, alone])
        moved.forEach((value, i) => expect(Math.abs(value - values[i]!)).toBeLessThan(1e-4 * Math.abs(value)));
    }
  }),
);

test("a wide feed-forward part is the same along a z of low rank as with U Vᵀ formed", async () => {
  const random = (shape: number[], seed: number): tf.Tensor => tf.randomNormal(shape, 0, 0.1, "float32", seed);
  const [rows, width, wide] = [300, 128, 1024]; // in tiles of both matrices' rows and columns
  const inputs = { x: random([rows, width], 1), residual: random([rows, width], 2) };
  const weights = {
    ...{ up: random([wide, width], 3), upBias: random([wide], 4) },
    ...{ down: random([width, wide], 5), downBias: random([width], 6) },
  };
  const theta = Object.entries(weights).map(([name, value]) => ({ name, value }));
  const run = (): tf.Tensor => feedForward(inputs.x, weights, "gelu", inputs.residual);
  const both = await pairwise(theta, { law: LOW_RANK.law!, eps: 0.01, z: Z }, (sides) => {
    const tensor = run();
    const read = sides(tensor);
    tensor.dispose();
    return read;
  });
  for (const [side, scale] of [["plus", 0.01] as const, ["minus", -0.02] as const]) {
    LOW_RANK(theta, scale, Z); // from theta, and from theta + 0.01 z
    const moved = await takeValues(run());
    expect(Math.max(...moved.map((value, i) => Math.abs(value - both[side][i]!)))).toBeLessThan(2e-5);
  }
  expect(Math.abs(both.plus[0]! - both.minus[0]!)).toBeGreaterThan(1e-4);
  tf.dispose([inputs, weights]);
});
