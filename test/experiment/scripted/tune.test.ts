import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { headTuning } from "../../../src/adapters/head.ts";
import { measureCost } from "../../../src/experiment/cost.ts";
import { evaluate } from "../../../src/experiment/evaluate.ts";
import { tune } from "../../../src/experiment/tune.ts";
import { forwardGradient } from "../../../src/lab/forwardGradient.ts";
import { accuracy, exactMatch, f1 } from "../../../src/loss/score.ts";
import type { Run } from "../../../src/record/run.ts";
import type { Example, Task } from "../../../src/tasks/task.ts";
import { storage } from "../../../src/tensor/backend.ts";
import type { Perturb } from "../../../src/tensor/parameter.ts";
import { varianceModified } from "../../../src/tuners/layers.ts";
import { mezo } from "../../../src/tuners/mezo.ts";
import { sgd } from "../../../src/tuners/sgd.ts";
import type { Tuner } from "../../../src/tuners/tuner.ts";
import type { ScriptedModel } from "../../scripted.ts";
import { valuesOf } from "../../values.ts";
import { ANSWERS, asked, close, example, LONG, SCRIPT, scripted, taskOf, YES_NO } from "./cases.ts";

const { log, sqrt, exp } = Math;

/** Where the table has a word after a word. */
const placeOf = ({ tokenizer: { id, size } }: ScriptedModel, word: string, after: string): number =>
  id(word)! * size + id(after)!;

/** Noise whose z is 1 at that place of the table and 0 elsewhere. */
const along =
  (model: ScriptedModel, word: string, after: string): Perturb =>
  (theta, scale, _draw, keep = 1) => {
    const at = placeOf(model, word, after);
    for (const { value } of theta)
      tf.tidy(() => {
        const z = tf.reshape(tf.oneHot([at], value.size), value.shape);
        storage().copy(tf.add(tf.mul(value, keep), tf.mul(z, scale)), value);
      });
  };

const setting = { batchSize: 4, seed: 1 };

describe("tune", () => {
  test("by MeZO steps against the difference of the two losses over 2 eps (Algorithm 1)", async () => {
    const model = scripted();
    const [eps, lr] = [0.5, 2];
    const tuner = mezo({ lr, eps, noise: along(model, "yes", "good") });
    const run = await tune(model, taskOf([asked("good", 0)]), tuner, { ...setting, steps: 1 });
    const lossAt = (moved: number): number => log(1 + exp(-moved) / 3);
    const grad = (lossAt(eps) - lossAt(-eps)) / (2 * eps);
    expect(run.steps).toMatchObject([
      { losses: [close(lossAt(eps)), close(lossAt(-eps))], projectedGrad: close(grad) },
    ]);
    expect(run.scores[0]).toMatchObject({ on: "dev", loss: close(lossAt(-lr * grad)) });
  });

  test.each([2, 1])(
    "divides by the gradient's exact norm over the batch, in micro-batches of %i",
    async (microBatchSize) => {
      const model = scripted();
      const tuner = varianceModified({ lr: 0, eps: 1e-3, scaledBy: "exact gradient norm" });
      const rows = taskOf([asked("good", 0), asked("bad", 1)]);
      const { steps } = await tune(model, rows, tuner, { ...setting, batchSize: 2, microBatchSize, steps: 1 });
      // Yes and no after either word are raised and lowered by half of what is wrong with their probabilities.
      expect(steps[0]!.losses[0]).toBeCloseTo(sqrt(2 * (0.25 / 2) ** 2 + 2 * (0.2 / 2) ** 2), 5);
      expect(steps[0]!.losses).toHaveLength(3);
    },
  );

  const OF_THREE = [
    ...[example("it was good", LONG, 0), example("it was bad", LONG, 1, 0)],
    example("it was odd", [...LONG, " no"], 1),
  ];
  const STILL: readonly [string, (model: ScriptedModel) => Tuner][] = [
    ["MeZO, both sides in one pass", () => mezo({ lr: 0, eps: 1e-7 })],
    ["MeZO, theta moved in place", (model) => mezo({ lr: 0, eps: 1e-7, noise: along(model, "sky", "sky") })],
    ["FT", () => sgd({ lr: 0 })],
  ];

  test.each(STILL)("by %s sees the batch's own loss, also in micro-batches of unequal size", async (_name, tuner) => {
    const model = scripted();
    const [good, bad, odd] = [0.6, 0.1, 0.3].map((yes, i) => [yes, sqrt([0.2, 0.4, 0.1][i]! * 0.95)] as const);
    const share = (right: number, ...wrong: number[]): number => log(right / wrong.reduce((a, b) => a + b, right));
    const losses = {
      candidates: -(share(good![0], good![1]) + share(bad![1], bad![0]) + share(odd![1], odd![0], 0.1)) / 3,
      answer: -(log(0.6) + log(0.4) + log(0.95) + log(0.1) + log(0.95)) / 5,
    };
    for (const loss of ["candidates", "answer"] as const)
      for (const microBatchSize of [3, 2]) {
        const settings = { ...setting, steps: 1, microBatchSize };
        const { steps } = await tune(model, taskOf(OF_THREE, { loss }), tuner(model), settings);
        for (const found of steps[0]!.losses) expect(found).toBeCloseTo(losses[loss], 5);
      }
  });

  /** 80 examples of up to 73 words, more than a pass takes: three in four after "good", answered right, the others after "bad". */
  const longBatch = (options: readonly string[]): Example[] =>
    Array.from({ length: 80 }, (_, i) =>
      i % 4
        ? example(`${"a ".repeat(30 + (i % 40))}it was good`, options, 0)
        : example(`${"a ".repeat(i % 70)}it was bad`, options, 1),
    );
  const one = { ...setting, batchSize: 80, steps: 1 };

  test.each(STILL)("by %s sees one mean over a batch of more tokens than a pass takes", async (_name, tuner) => {
    const model = scripted();
    const way = sqrt(0.95);
    for (const [options, no, yes] of [
      [YES_NO, 0.2, 0.4],
      [LONG, sqrt(0.2) * way, sqrt(0.4) * way],
    ] as const) {
      const task = taskOf([asked("good", 0)], { train: longBatch(options) });
      const { steps } = await tune(model, task, tuner(model), one);
      for (const found of steps[0]!.losses)
        expect(found).toBeCloseTo((3 * log(1 + no / 0.6) + log(1 + 0.1 / yes)) / 4, 5);
    }
  });

  test("in forward mode adds up the derivatives of all passes and micro-batches", async () => {
    const model = scripted();
    const task = taskOf([asked("good", 0)], { train: longBatch(YES_NO) });
    const tuner = forwardGradient({ lr: 0, noise: along(model, "yes", "good") });
    for (const microBatchSize of [80, 60]) {
      const { steps } = await tune(model, task, tuner, { ...one, microBatchSize });
      expect(steps[0]!.projectedGrad).toBeCloseTo((-3 / 4) * (1 - 3 / 4), 5);
    }
  });

  test.each([false, true])("by FT steps down the gradient of the batch, checkpointing %s", async (checkpointing) => {
    const model = scripted();
    const task = taskOf([asked("good", 0), asked("bad", 1), asked("odd", 1)], { dev: [asked("good", 0)] });
    const tuner = sgd({ lr: 1, schedule: "constant", clipNorm: 0 });
    const settings = { ...setting, steps: 1, microBatchSize: 2, checkpointing };
    const { header, steps, scores } = await tune(model, task, tuner, settings);
    expect(header.settings.checkpointing ?? false).toBe(checkpointing);
    expect(steps[0]!.losses).toEqual([close(-(log(3 / 4) + log(4 / 5) + log(1 / 4)) / 3)]);
    // Of both answers' logits after "good" the derivative is a third of ∓(1 − 3/4).
    expect(scores[0]!.loss).toBeCloseTo(log(1 + exp(-1 / 6) / 3), 6);
  });

  test("of the head alone begins at the model's own, and leaves that as it is", async () => {
    const model = scripted();
    const task = taskOf([asked("good", 0)]);
    const tuner = sgd({ lr: 1, schedule: "constant", clipNorm: 0 });
    const { header, steps, scores } = await tune(model, task, tuner, { ...setting, steps: 1, adapter: headTuning() });
    expect(header).toMatchObject({
      method: "FT (head)",
      tuner: { name: "FT" },
      adapter: { name: "head" },
      passes: "pair",
    });
    expect(steps[0]!.losses).toEqual([close(log(4 / 3))]);
    expect(scores[0]!.loss).toBeCloseTo(log(1 + exp(-1 / 2) / 3), 6);
    expect((await evaluate(model, task)).scores[0]).toMatchObject({ score: 1, loss: close(log(4 / 3)) });
  });

  // One example is answered "blue sky" whatever happens, the other "red", right, above eps and "blue sky", wrong, below it.
  // Examples count alike, though the first's right answer is longer.
  const MEASURED = [example("it was bad", [" blue red"], 0), example("it was good", [" red"], 0)];
  test.each([
    ["accuracy", accuracy, [asked("good", 0), asked("bad", 0)], ["yes", "bad"], [1, 1 / 2]],
    ["F1", f1, MEASURED, ["red", "good"], [3 / 4, 1 / 4]],
    ["exact match", exactMatch, MEASURED, ["red", "good"], [1 / 2, 0]],
  ])(
    "may make %s large: its negative is the loss, and theta moves up",
    async (name, maximize, examples, [word, after], [above, below]) => {
      const model = scripted({
        ...SCRIPT,
        ...ANSWERS,
        good: { red: 0.35, blue: 0.36, yes: 0.1 },
        bad: { blue: 0.5, yes: 0.2, no: 0.25 },
      });
      const place = placeOf(model, word!, after!);
      const before = (await valuesOf(model.head.weight))[place]!;
      const tuner = mezo({ lr: 4, eps: 1, noise: along(model, word!, after!) });
      const settings = {
        ...setting,
        steps: 1,
        microBatchSize: 1,
        begin: "config",
        maximize,
        keepWeights: true,
      } as const;
      const run = await tune(model, taskOf(examples, { loss: "answer" }), tuner, settings);
      expect(run.header).toMatchObject({ passes: "sweeps", settings: { microBatchSize: 1, maximize: name } });
      expect(model.seen.filter((text) => text.startsWith("<s>"))).toEqual([]);
      expect(run.steps[0]).toMatchObject({
        losses: [close(-above!), close(-below!)],
        projectedGrad: close((below! - above!) / 2),
      });
      expect((await valuesOf(model.head.weight))[place]! - before).toBeCloseTo(2 * (above! - below!), 5);
    },
  );
});

describe("the cost of a run", () => {
  // A token takes 5 · 18 numbers of the table's width and 2 · 18 of keys and values, in four bytes each.
  const bytesOf = (tokens: number): number => 4 * 126 * tokens;
  const long = (words: number): Example => example(`${"a ".repeat(words)}it was good`, YES_NO, 0);

  test("says its steps, and predicts the widest pass of training or of scoring", async () => {
    const model = scripted();
    const tuned = async (task: Task): Promise<Run> =>
      tune(model, task, mezo({ lr: 0 }), { ...setting, steps: 3, microBatchSize: 2 });
    // 24 tokens each with the begin token; two examples at once, on both sides.
    const training = await tuned(taskOf([asked("good", 0)], { train: [long(20), long(20), long(20), long(20)] }));
    expect(training.cost).toMatchObject({ steps: 3, predicted: { activations: 2 * bytesOf(2 * 24) } });
    const scoring = await tuned(taskOf([asked("good", 0)], { dev: [long(60), long(40)] }));
    expect(scoring.cost.predicted).toMatchObject({ activations: bytesOf(64 + 44) });
  });

  test("is in seconds", () => {
    const parts = { weights: 0, activations: 0, temporaries: 0, gradients: 0, optimizer: 0 };
    const { seconds } = measureCost(performance.now() - 2000, 0, [parts]);
    expect(seconds).toBeGreaterThanOrEqual(2);
    expect(seconds).toBeLessThan(1000);
  });
});
