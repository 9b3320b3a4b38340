import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { lora } from "../../src/adapters/lora.ts";
import { evaluate, evaluateMajority } from "../../src/experiment/evaluate.ts";
import { tune } from "../../src/experiment/tune.ts";
import { batches, encodeBatch, type LabelledBatch, shuffle } from "../../src/loss/encode.ts";
import { computeLoss } from "../../src/loss/loss.ts";
import { loadModel } from "../../src/models/load.ts";
import { readRun } from "../../src/record/read.ts";
import type { RunRecorder } from "../../src/record/run.ts";
import { createRunFile } from "../../src/record/write.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import type { Tuner } from "../../src/tuners/tuner.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { valuesOf } from "../tuners/weights.ts";

const folder = tinyModel();
const task = await loadTask("SST-2", { data: tinyData(), train: 24, dev: 12, test: 12, seed: 1 });
const scratch = (): string => mkdtempSync(join(tmpdir(), "runs-"));

describe("evaluate", () => {
  test("zero-shot and in context give a score on the whole test part, the same each time", async () => {
    const model = await loadModel(folder);
    for (const shots of [0, 3]) {
      const run = await evaluate(model, task, { shots, seed: 5 });
      expect(run.scores).toHaveLength(1);
      expect(run.scores[0]).toMatchObject({ on: "test", step: 0, n: 12 });
      expect(run.header).toMatchObject({
        method: shots ? "ICL" : "Zero-shot",
        seed: 5,
        split: { train: 24, dev: 12, test: 12 },
      });
      expect((await evaluate(model, task, { shots, seed: 5 })).scores).toEqual(run.scores);
    }
    model.dispose();
  });

  test("lets other work in, such as an interrupt, between its reports of progress", async () => {
    const model = await loadModel(folder);
    const turns: boolean[] = [];
    let turned = false;
    setImmediate(() => {
      turned = true;
    });
    await evaluate(model, task, { onProgress: ({ part }) => part === undefined && turns.push(turned) });
    expect(new Set(turns)).toEqual(new Set([true]));
    model.dispose();
  });

  test("in context with the same demonstrations for all examples differs from demonstrations drawn for each", async () => {
    const model = await loadModel(folder);
    const [fresh, fixed] = [
      await evaluate(model, task, { shots: 3, seed: 5 }),
      await evaluate(model, task, { shots: 3, seed: 5, draw: "fixed" }),
    ];
    expect(fixed.header.settings.draw).toBe("fixed");
    expect(fixed.scores[0]!.loss).not.toBe(fresh.scores[0]!.loss);
    model.dispose();
  });

  test.each([
    [{ shot: 3 }, /evaluate has no option shot/],
    [{ shots: -1 }, /whole number of shots from 0 on, not -1/],
    [{ begin: "foo" }, /no begin token "foo": choose mezo or config/],
  ])("refuses %j", async (options, message) => {
    const model = await loadModel(folder);
    await expect(evaluate(model, task, options as never)).rejects.toThrow(message);
    model.dispose();
  });

  test("of the majority class needs no model, and says so", () => {
    const { header, scores, cost } = evaluateMajority(task);
    expect(header).toMatchObject({ model: "none", weightsHash: "none", prompts: "none" });
    expect("tuner" in header || "passes" in header).toBe(false);
    expect(scores).toMatchObject([{ on: "test", step: 0, n: 12 }]);
    expect(cost).toEqual({ seconds: 0, steps: 0, peakBytes: 0 });
  });
});

describe("tune", () => {
  const settings = { steps: 12, batchSize: 8, evaluateEvery: 4, seed: 2 };

  test("tells of each step and score as it happens, in the order in which the run has them", async () => {
    const model = await loadModel(folder);
    const told: string[] = [];
    const lossesAt: number[] = [];
    const record: RunRecorder = {
      start: ({ method }) => told.push(method),
      step: ({ step, losses }) => {
        told.push(`step ${step}`);
        lossesAt.push(losses.length);
      },
      score: ({ on, step }) => told.push(`${on} ${step}`),
    };
    const base = mezo({ lr: 1e-2 });
    const begin: Tuner["begin"] = (theta) => {
      const training = base.begin(theta);
      return { ...training, step: (...at) => training.step(...at).finally(() => told.push("moved")) };
    };
    const run = await tune(model, task, { ...base, begin }, { ...settings, steps: 4, evaluateEvery: 2, record });
    const moves = (step: number): string[] => ["moved", `step ${step}`];
    const [second, fourth] = [2, 4].map((at) =>
      run.scores.filter(({ step }) => step === at).map(({ on }) => `${on} ${at}`),
    );
    expect(told).toEqual(["MeZO", ...moves(0), ...moves(1), ...second!, ...moves(2), ...moves(3), ...fourth!]);
    expect(second).toEqual(["dev 2", "test 2"]);
    expect(lossesAt).toEqual([2, 2, 2, 2]);
    model.dispose();
  });

  test("comes back from its file, and repeats bit for bit from the same seed", async () => {
    const weights: number[][] = [];
    const runs = [];
    for (let i = 0; i < 2; i++) {
      const model = await loadModel(folder);
      const file = join(scratch(), "run.jsonl");
      const record = createRunFile(file);
      const run = await tune(model, task, mezo({ lr: 1e-2 }), { ...settings, record });
      expect(existsSync(file)).toBe(false);
      record.finish(run.cost);
      expect(readRun(file)).toEqual(run);
      await tune(model, task, mezo({ lr: 1e-2 }), { ...settings, keepWeights: true });
      weights.push(await valuesOf(model.parameters));
      runs.push(run);
      model.dispose();
    }
    expect(runs[0]!.steps).toHaveLength(12);
    expect(runs[0]!.scores.filter(({ on }) => on === "dev").map(({ step }) => step)).toEqual([4, 8, 12]);
    expect(runs[1]!.steps).toEqual(runs[0]!.steps);
    expect(weights[1]).toEqual(weights[0]);
  });

  test("learns: the loss on the training part falls", async () => {
    const model = await loadModel(folder);
    const all = encodeBatch(model, task.train, "mezo");
    const before = await computeLoss("candidates", model, all);
    await tune(model, task, mezo({ lr: 5e-3 }), { ...settings, steps: 150, evaluateEvery: 150, keepWeights: true });
    expect(await computeLoss("candidates", model, all)).toBeLessThan(0.8 * before);
    model.dispose();
  });

  test("scores the test part only where the dev loss is the lowest yet, so that the last test score is the best weights'", async () => {
    const model = await loadModel(folder);
    const { scores } = await tune(model, task, mezo({ lr: 1e-2 }), { ...settings, evaluateEvery: 2 });
    let lowest = Number.POSITIVE_INFINITY;
    scores.forEach((score, i) => {
      if (score.on !== "dev") return;
      const best = score.loss! < lowest;
      lowest = Math.min(lowest, score.loss!);
      expect(scores[i + 1]?.on === "test").toBe(best);
    });
    expect(scores.some(({ on }) => on === "test")).toBe(true);
    model.dispose();
  });
});

describe("tune and the model", () => {
  test("begins at the base weights and brings them back, unless it is told to leave the last ones", async () => {
    const model = await loadModel(folder);
    const weights = (): Promise<number[]> => valuesOf(model.parameters);
    const base = await weights();
    const first = await tune(model, task, mezo({ lr: 1e-2 }), { steps: 3, seed: 2 });
    expect(await weights()).toEqual(base);
    const second = await tune(model, task, mezo({ lr: 1e-2 }), { steps: 3, seed: 2, keepWeights: true });
    expect(second.steps).toEqual(first.steps);
    expect(await weights()).not.toEqual(base);
    model.dispose();
  });

  test.each([{ steps: 0 }, { steps: 2.5 }, { steps: 3, batchSize: 0 }, { steps: 3, microBatchSize: 0 }])(
    "refuses %j",
    async (options) => {
      const model = await loadModel(folder);
      await expect(tune(model, task, mezo({ lr: 1e-2 }), options)).rejects.toThrow(
        /whole number from 1 on for (steps|batchSize|microBatchSize)/,
      );
      model.dispose();
    },
  );
});

test("tune refuses options that it does not have, and frees what it made where a tuner cannot begin", async () => {
  const model = await loadModel(folder);
  const checkpoint = { steps: 2, checkpoint: true } as never;
  await expect(tune(model, task, mezo({ lr: 1e-2 }), checkpoint)).rejects.toThrow(/tune has no option checkpoint/);
  const broken = { ...mezo({ lr: 1e-2 }), begin: () => fail() };
  await expect(tune(model, task, broken, { steps: 2, adapter: lora() })).rejects.toThrow("cannot begin");
  model.dispose();
});

function fail(): never {
  throw new Error("cannot begin");
}

describe("batches", () => {
  test("show every example once a pass, in another order the next and under another seed, the last batch of a pass short", () => {
    const examples = Array.from({ length: 10 }, (_, i) => ({ candidates: [], i })) as never[];
    const part: LabelledBatch = { examples, gold: examples.map((_, i) => [i]), texts: examples, begin: "mezo" };
    const at = batches(part, 4, 7);
    const pass = (from: number): number[] => [0, 1, 2].flatMap((i) => at(from + i).gold.flat());
    const [first, second] = [pass(0), pass(3)];
    expect([0, 1, 2].map((i) => at(i).gold.length)).toEqual([4, 4, 2]);
    expect(first.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(second).not.toEqual(first);
    expect(pass(0)).toEqual(first);
    // Seed and pass alone decide: a run file's steps are of these batches.
    const orderOf = (seed: number, epoch: number): number[] =>
      shuffle([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], `batches/${seed}/${epoch}`);
    expect([first, second]).toEqual([orderOf(7, 0), orderOf(7, 1)]);
    expect(batches(part, 4, 8)(1).gold.flat()).toEqual(orderOf(8, 0).slice(4, 8));
  });
});
