import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { attention } from "../../src/kernels/attention.ts";
import { columns } from "../../src/kernels/columns.ts";
import { activate, add, joinRows, multiply } from "../../src/kernels/elementwise.ts";
import { embed } from "../../src/kernels/embed.ts";
import { feedForward } from "../../src/kernels/feedForward.ts";
import { linear } from "../../src/kernels/linear.ts";
import { layerNorm, rmsNorm } from "../../src/kernels/norm.ts";
import { rotary } from "../../src/kernels/rotary.ts";
import { tokenLogProbs } from "../../src/kernels/tokenLogProbs.ts";
import { forward, forwardDerivative } from "../../src/lab/forwardGradient.ts";
import { takeValues, valuesOf } from "../values.ts";

const SHAPES = {
  x: [5, 8],
  other: [5, 8],
  row: [1, 8],
  key: [5, 4],
  value: [5, 4],
  weight: [8, 8],
  bias: [8],
  gain: [8],
  headGain: [4],
  table: [6, 8],
  down: [6, 8],
  downBias: [6],
  residual: [5, 6],
} as const;
type Name = keyof typeof SHAPES;
type Values = Readonly<Record<Name, tf.Tensor>>;

const random = (seed: number): Record<Name, tf.Tensor> =>
  Object.fromEntries(
    Object.entries(SHAPES).map(([name, shape], i) => [
      name,
      tf.randomNormal([...shape], 0, 1, "float32", 100 * seed + i + 1),
    ]),
  ) as Record<Name, tf.Tensor>;

const ANGLES = {
  cos: Float32Array.from({ length: 10 }, (_, i) => Math.cos(i)),
  sin: Float32Array.from({ length: 10 }, (_, i) => Math.sin(i)),
  pairs: 2,
};
const causal = { lengths: [2, 3], keyLengths: [2, 3], heads: 4, causal: true };
const ids = (): tf.Tensor => tf.tensor1d([3, 0, 3, 5], "int32");

/** Every operation, with what of its inputs is differentiated. */
const OPERATIONS: readonly (readonly [string, readonly Name[], (v: Values) => tf.Tensor])[] = [
  ["linear", ["x", "weight"], (v) => linear(v.x, v.weight)],
  ["linear, bias alone", ["bias"], (v) => linear(v.x, v.weight, { bias: v.bias })],
  ["linear, relu", ["x", "weight", "bias"], (v) => linear(v.x, v.weight, { bias: v.bias, activation: "relu" })],
  [
    "linear, residual",
    ["x", "weight", "bias", "other"],
    (v) => linear(v.x, v.weight, { bias: v.bias, residual: v.other }),
  ],
  ["linear, residual alone", ["other"], (v) => linear(v.x, v.weight, { residual: v.other })],
  ["linear, gelu", ["x", "weight", "bias"], (v) => linear(v.x, v.weight, { bias: v.bias, activation: "gelu" })],
  ["linear, silu, no bias", ["x", "weight"], (v) => linear(v.x, v.weight, { activation: "silu" })],
  ...(["x", "weight", "bias", "down", "downBias", "residual"] as const).map(
    (name) =>
      [
        `feedForward, ${name} alone`,
        [name],
        (v: Values) => {
          const weights = { up: v.weight, upBias: v.bias, down: v.down, downBias: v.downBias };
          return feedForward(v.x, weights, name === "bias" ? "relu" : "gelu", v.residual);
        },
      ] as const,
  ),
  ["activation", ["x"], (v) => activate(v.x, "gelu")],
  ["activation, gelu_new", ["x"], (v) => activate(v.x, "gelu_new")],
  ["layerNorm", ["x", "gain", "bias"], (v) => layerNorm(v.x, v.gain, v.bias)],
  ["layerNorm, bias alone", ["bias"], (v) => layerNorm(v.x, v.gain, v.bias)],
  ["rmsNorm", ["x", "gain"], (v) => rmsNorm(v.x, v.gain, 1e-6)],
  ["rmsNorm of heads", ["x", "headGain"], (v) => rmsNorm(v.x, v.headGain, 1e-6)],
  ["columns", ["x"], (v) => columns(v.x, 2, 5)],
  ["rotary", ["x"], (v) => rotary(v.x, ANGLES)],
  ["embed", ["table"], (v) => embed(ids(), v.table)],
  ["attention", ["x", "other"], (v) => attention(v.x, v.other, v.other, causal)],
  ["attention, keys alone", ["other"], (v) => attention(v.x, v.other, v.x, { ...causal, causal: false })],
  ["attention, shared heads", ["x", "key", "value"], (v) => attention(v.x, v.key, v.value, causal)],
  ["add", ["x", "other"], (v) => add(v.x, v.other)],
  ["add, a row to all, alone", ["row"], (v) => add(v.x, v.row)],
  ["multiply", ["x", "other"], (v) => multiply(v.x, v.other)],
  ["multiply by a number", ["x"], (v) => multiply(v.x, 3)],
  ["joinRows", ["x", "row"], (v) => joinRows(v.x, v.row)],
  ["joinRows, one alone", ["row"], (v) => joinRows(v.x, v.row)],
  ["one after another", ["x", "weight", "gain"], (v) => rmsNorm(linear(linear(v.x, v.weight), v.weight), v.gain, 1e-6)],
];

/** A number made of all elements, each with a weight of its own. */
const mixed = (y: tf.Tensor): tf.Scalar => tf.sum(tf.mul(y, tf.reshape(tf.sin(tf.range(1, y.size + 1)), y.shape)));

describe("forward mode", () => {
  test.each(OPERATIONS)(
    "through %s gives the derivative that backpropagation gives",
    async (_name, names, operation) => {
      const [values, changes] = [random(1), random(2)];
      const theta = names.map((name) => ({ name, value: values[name] }));
      const { value, tangent } = forward(
        () => operation(values),
        theta,
        ({ name }) => tf.clone(changes[name as Name]),
      );
      const results = tf.tidy(() => {
        const gradients = tf.engine().gradients(
          () => mixed(operation(values)),
          names.map((name) => values[name]),
        ).grads;
        const sums = names.map((name, i) => tf.sum(tf.mul(gradients[i]!, changes[name])));
        return [operation(values), mixed(tangent!), ...sums];
      });
      const read = (await Promise.all(results.map(takeValues))) as [number[], number[], ...number[][]];
      const [plain, [found], ...sums] = read;
      const expected = sums.reduce((all, [sum]) => all + sum!, 0);
      expect(tangent!.shape).toEqual(value.shape);
      expect([...(await valuesOf(value))]).toEqual(plain);
      expect(Math.abs(expected)).toBeGreaterThan(1e-3);
      expect(Math.abs(found! / expected - 1)).toBeLessThan(2e-5);
      tf.dispose([value, tangent!, ...Object.values(values), ...Object.values(changes)]);
    },
  );

  test("makes a weight's tangent at each use, and holds none of a weight nor of a result that is gone", () => {
    const values = random(1);
    const theta = [{ name: "weight", value: values.weight }];
    let [made, most] = [0, 0];
    const start = tf.memory().numTensors;
    const body = (): tf.Tensor => {
      let x = values.x;
      for (let i = 0; i < 10; i++) {
        const next = tf.tidy(() => linear(linear(x, values.weight), values.weight));
        if (i > 0) x.dispose();
        x = next;
        most = Math.max(most, tf.memory().numTensors);
      }
      return x;
    };
    const { value, tangent } = forward(body, theta, () => {
      made++;
      return tf.onesLike(values.weight);
    });
    expect(made).toBe(20);
    expect(most - start).toBeLessThan(6); // a result, its tangent, and those of the step before until the next operation
    tf.dispose([value, tangent!, ...Object.values(values)]);
  });

  test("ends with backpropagation through a tail of any operations, which may use the weights again", async () => {
    const values = random(3);
    const theta = [{ name: "weight", value: values.weight }];
    const body = (): tf.Tensor2D => linear(values.x, values.weight);
    const tail = (y: tf.Tensor2D): tf.Scalar =>
      tf.neg(tf.sum(tokenLogProbs(y, values.weight, tf.tensor1d([1, 2, 3, 4, 5], "int32"))));
    const change = tf.randomNormal([8, 8], 0, 1, "float32", 9);
    const { loss, derivative } = await forwardDerivative(body, tail, theta, () => tf.clone(change));
    const results = tf.tidy(() => {
      const run = tf.engine().gradients(() => tail(body()), [values.weight]);
      return [run.value, tf.sum(tf.mul(run.grads[0]!, change))];
    });
    const [[value], [expected]] = (await Promise.all(results.map(takeValues))) as [number[], number[]];
    expect(loss).toBeCloseTo(value!, 5);
    expect(Math.abs(derivative / expected! - 1)).toBeLessThan(1e-5);
    tf.dispose([change, ...Object.values(values)]);
  });

  test("gives no tangent to what does not depend on theta", () => {
    const values = random(1);
    const { value, tangent } = forward(
      () => linear(values.x, values.weight),
      [{ name: "gain", value: values.gain }],
      () => tf.onesLike(values.gain),
    );
    expect(tangent).toBeUndefined();
    tf.dispose([value, ...Object.values(values)]);
  });

  test.each([
    ["met a tensor of shape [5,8] that no fused operation made", (v: Values) => linear(tf.neg(v.x), v.weight)],
    [
      "TokenLogProbs has no rule for forward mode; use MeZO",
      (v: Values) => tokenLogProbs(v.table, v.weight, tf.tensor1d([1, 2, 3, 4, 5, 6], "int32"), v.bias),
    ],
  ])("says what it cannot follow, and leaves nothing behind: %s", (message, operation) => {
    const values = random(1);
    const theta = [{ name: "weight", value: values.weight }];
    expect(() =>
      forward(
        () => operation(values),
        theta,
        () => tf.onesLike(values.weight),
      ),
    ).toThrow(message);
    tf.dispose(Object.values(values));
  });
});
