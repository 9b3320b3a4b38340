import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { adam, adamw } from "../../src/tuners/adam.ts";
import { sgd } from "../../src/tuners/sgd.ts";
import type { Objective } from "../../src/tuners/tuner.ts";
import { started, train, valuesOf, weight } from "./weights.ts";

const ROWS = [
  [0.5, -1.2, 0.3],
  [1.5, 0.4, -0.7],
  [-0.6, 0.9, 1.1],
  [-1.4, -0.2, 0.8],
  [0.2, 0.7, -1.6],
];
const LABELS = [1, 1, 0, 0, 1];

/** Cross entropy of a logistic regression, its gradient written out. */
function logistic([w, b]: readonly Parameter[]): Objective {
  const logits = async (): Promise<number[]> => {
    const [slopes, [offset]] = [await valuesOf([w!]), await valuesOf([b!])];
    return ROWS.map((row) => row.reduce((sum, x, i) => sum + x * slopes[i]!, offset!));
  };
  const value = async (): Promise<number> =>
    (await logits()).reduce((sum, s, i) => sum + Math.log1p(Math.exp(LABELS[i] ? -s : s)), 0) / ROWS.length;
  const gradient = async () => {
    const errors = (await logits()).map((s, i) => (1 / (1 + Math.exp(-s)) - LABELS[i]!) / ROWS.length);
    const sums = [0, 1, 2].map((i) => errors.reduce((sum, e, row) => sum + e * ROWS[row]![i]!, 0));
    return { loss: await value(), gradients: [tf.tensor1d(sums), tf.tensor1d([errors.reduce((a, e) => a + e, 0)])] };
  };
  return { value, gradient };
}

const start = (): Parameter[] => [weight("fc.weight", [0.3, -0.2, 0.1]), weight("fc.bias", [0.05])];
const lr = 0.1;
const schedule = "constant";

describe("FT by backpropagation", () => {
  // PyTorch 2's torch.optim after 6 steps on this problem, the bias without weight decay, and the loss before the last step.
  test.each([
    ["adam", adam({ lr, schedule }), [0.8863389, -0.7795334, -0.488367, 0.5914461], 0.2805892],
    ["adam, linear", adam({ lr }), [0.6464674, -0.5446713, -0.2470571, 0.3860411], 0.3614226],
    [
      "adam, other settings",
      adam({ lr, schedule, weightDecay: 0.3, beta1: 0.8, beta2: 0.95, epsilon: 1e-4 }),
      [0.8030041, -0.2569337, -0.4553083, 0.5500051],
      0.3106008,
    ],
    ["adamw", adamw({ lr, schedule, weightDecay: 0.3 }), [0.7949681, -0.7096449, -0.4629725, 0.5878209], 0.2993094],
    ["sgd", sgd({ lr, schedule }), [0.4967515, -0.2292295, -0.1070052, 0.1012357], 0.4765922],
    [
      "sgd, momentum and decay",
      sgd({ lr, schedule, momentum: 0.8, weightDecay: 0.3 }),
      [0.6199099, -0.1903633, -0.4016485, 0.1767156],
      0.3851582,
    ],
    [
      "sgd, clipped",
      sgd({ lr: 0.5, schedule, momentum: 0.9, clipNorm: 0.2 }),
      [1.4859748, -0.4404889, -1.1368161, 0.3810956],
      0.173349,
    ],
  ])("goes the way of PyTorch's optimizer: %s", async (_name, tuner, weights, loss) => {
    const theta = start();
    const results = await train(tuner, theta, logistic(theta), 6);
    (await valuesOf(theta)).forEach((v, i) => expect(v).toBeCloseTo(weights[i]!, 5));
    expect(results.at(-1)!.loss).toBeCloseTo(loss, 6);
  });

  test("with Adam and with AdamW is the same without weight decay, the paper's setting", async () => {
    const [one, other] = [start(), start()];
    await train(adam({ lr }), one, logistic(one), 6);
    await train(adamw({ lr }), other, logistic(other), 6);
    expect(await valuesOf(one)).toEqual(await valuesOf(other));
  });

  test("is called FT as in the paper's tables, and falls linearly to a learning rate of 0 (Table 7)", async () => {
    const theta = start();
    const results = await train(adam({ lr: 1 }), theta, logistic(theta), 4);
    expect(adam({ lr }).name).toBe("FT");
    expect(results.map((each) => each.lr)).toEqual([1, 0.75, 0.5, 0.25]);
  });

  test("is refused where the objective has no gradient, with what to do", async () => {
    const run = started(adam({ lr }), start()).step({ value: () => -0.8 }, { seed: 0, step: 0, total: 1 });
    await expect(run).rejects.toThrow(
      "Backpropagation cannot be used with this objective, which has no gradient; use MeZO, which needs only the objective's value.",
    );
  });

  test("stops at a gradient that is not finite though the loss is, theta to the bit as it was, the gradients freed", async () => {
    const theta = start();
    const before = await valuesOf(theta);
    const training = started(adam({ lr }), theta);
    const tensors = tf.memory().numTensors;
    const gradient = () => ({ loss: 1, gradients: [tf.tensor1d([1, Number.NaN, 1]), tf.tensor1d([1])] });
    const run = training.step({ value: () => 1, gradient }, { seed: 0, step: 4, total: 9 });
    await expect(run).rejects.toThrow("FT stopped at step 4: the loss is 1 and its gradient's norm NaN");
    expect(await valuesOf(theta)).toEqual(before);
    expect(tf.memory().numTensors).toBe(tensors);
  });
});
