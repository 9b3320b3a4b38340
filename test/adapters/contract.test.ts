import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import type { Adapter } from "../../src/adapters/adapter.ts";
import { headTuning } from "../../src/adapters/head.ts";
import { lora } from "../../src/adapters/lora.ts";
import { prefix } from "../../src/adapters/prefix.ts";
import { linear } from "../../src/kernels/linear.ts";
import { checkpointedGradient, plainGradient } from "../../src/nn/gradient.ts";
import type { Network } from "../../src/nn/network.ts";
import { features } from "../../src/nn/run.ts";
import { gaussian } from "../../src/tensor/parameter.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { valueShift } from "../own/valueShift.ts";
import { allValues, takeValues } from "../values.ts";
import { apart, BATCH, bitsOf, FAMILIES, lossOf, ROWS, tail, withNetwork } from "./networks.ts";

const AT = { seed: 3, vocabulary: 32 };
const ADAPTERS: readonly [string, () => Adapter][] = [
  ["LoRA", () => lora({ rank: 2, alpha: 4 })],
  ["LoRA of all linear maps", () => lora({ rank: 2, alpha: 4, targets: "all-linear" })],
  ["prefix", () => prefix({ length: 3 })],
  ["prefix from random numbers", () => prefix({ length: 3, init: "random" })],
  ["head", headTuning],
  ["a user's own", valueShift],
];
const CASES = FAMILIES.flatMap((family) => ADAPTERS.map(([name, make]) => ({ family, name, make })));

/** A loss of the logits: it depends on the head too. */
const logitLoss = async (network: Network): Promise<number> =>
  (await takeValues(tf.tidy(() => tail(linear(features(network, BATCH, ROWS), network.head.weight)))))[0]!;

describe.each(CASES)("$name on $family", ({ family, make }) => {
  test("the same seed gives the same weights, under names of their own, and another seed gives others", () =>
    withNetwork(family, async (network) => {
      const adapter = make();
      const [a, b, other] = [AT, AT, { ...AT, seed: 4 }].map((at) => adapter.begin(network, at));
      const names = a!.parameters.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      expect(names.length).toBeGreaterThan(0);
      expect(await bitsOf(a!.parameters)).toEqual(await bitsOf(b!.parameters));
      if (adapter.name !== "head") expect(await bitsOf(a!.parameters)).not.toEqual(await bitsOf(other!.parameters));
      for (const adapted of [a, b, other]) adapted!.dispose();
    }));

  test("tuning changes the adapter and the loss, and leaves the model's weights as they were, bit for bit", () =>
    withNetwork(family, async (network) => {
      const before = await bitsOf(network.parameters);
      const adapted = make().begin(network, AT);
      const whole = { ...network, ...adapted };
      const [weights, loss] = [await bitsOf(adapted.parameters), await logitLoss(whole)];
      const training = mezo({ lr: 1e-2, eps: 1e-1 }).begin(adapted.parameters);
      for (let step = 0; step < 3; step++)
        await training.step({ value: () => logitLoss(whole) }, { seed: 1, step, total: 3 });
      training.dispose();
      expect(await logitLoss(whole)).not.toBe(loss);
      (await bitsOf(adapted.parameters)).forEach((bits, i) => expect(bits).not.toEqual(weights[i]));
      expect(await bitsOf(network.parameters)).toEqual(before);
      adapted.dispose();
      expect(await bitsOf(network.parameters)).toEqual(before);
    }));
});

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const dot = (a: Float32Array, b: Float32Array): number => a.reduce((all, v, i) => all + v * b[i]!, 0);

const INNER = CASES.filter(({ name }) => name !== "head");

describe.each(INNER)("the gradient of $name on $family", ({ family, name, make }) => {
  test("agrees with differences of the loss along a random direction, and with checkpointing", () =>
    withNetwork(family, async (network) => {
      const adapted = make().begin(network, AT);
      const { parameters } = adapted;
      gaussian(parameters, 0.1, { seed: 5, step: 0 }); // away from LoRA's start, where A has no gradient
      const whole = { ...network, adaptation: adapted.adaptation };
      const plain = await plainGradient(whole, BATCH, ROWS, tail, parameters);
      const checkpointed = await checkpointedGradient(whole, BATCH, ROWS, tail, parameters);
      const [gradients, others] = [await allValues(plain.gradients), await allValues(checkpointed.gradients)];
      gradients.forEach((values, i) => {
        expect(
          values.some((v) => v !== 0),
          parameters[i]!.name,
        ).toBe(true);
        expect(apart([...values], [...others[i]!])).toBeLessThan(1e-5);
      });
      expect(plain.loss).toBeCloseTo(await lossOf(whole), 6);
      // z by the tuners' own noise: theta + e z and theta - e z
      const z = { seed: 6, step: 0 };
      const before = await allValues(parameters.map(({ value }) => value));
      gaussian(parameters, 1, z);
      const moved = await allValues(parameters.map(({ value }) => value));
      const direction = moved.map((values, i) => values.map((v, j) => v - before[i]![j]!));
      const e = 3e-3;
      gaussian(parameters, -1 + e, z);
      const plus = await lossOf(whole);
      gaussian(parameters, -2 * e, z);
      const minus = await lossOf(whole);
      const slope = sum(gradients.map((of, i) => dot(of, direction[i]!)));
      expect(Math.abs(slope), name).toBeGreaterThan(1e-3);
      expect(Math.abs((plus - minus) / (2 * e) / slope - 1)).toBeLessThan(0.02);
      tf.dispose([...plain.gradients, ...checkpointed.gradients]);
      adapted.dispose();
    }));
});

test.each([
  [() => lora({ dropout: 0.1 } as never), /LoRA has no option dropout: it has rank, alpha, targets, rslora/],
  [() => lora({ rank: 0 }), /LoRA needs a whole number from 1 on as rank, not 0/],
  [() => lora({ alpha: Number.NaN }), /LoRA needs an alpha above 0, not NaN/],
  [() => prefix({ tokens: 5 } as never), /Prefix tuning has no option tokens: it has length, init/],
  [() => prefix({ length: 2.5 }), /Prefix tuning needs a whole number from 1 on as length, not 2.5/],
  [() => prefix({ init: "zero" as never }), /no init "zero": choose one of activations, random/],
])("wrong options are refused: case %#", (make, message) => {
  expect(make).toThrow(message);
});
