import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { evaluate } from "../../src/experiment/evaluate.ts";
import { probe, probeHead } from "../../src/experiment/probe.ts";
import { loadModel } from "../../src/models/load.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import { loadTask } from "../../src/tasks/load.ts";
import type { Example, Task } from "../../src/tasks/task.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { allValues, setValues, valuesOf } from "../values.ts";

const folder = tinyModel();
const task = await loadTask("SST-2", { data: tinyData(240), train: 120, dev: 8, test: 100, seed: 1 });
const weightsOf = (model: LanguageModel): Promise<Float32Array[]> =>
  allValues(model.parameters.map(({ value }) => value));

/** An example of that text, whose options are the words of the tiny vocabulary given. */
const example = (prompt: string, options: readonly string[], gold: number): Example => ({
  autoregressive: { prompt, options },
  gold: [gold],
});

describe("probe", () => {
  test("is right more often than chance on a tiny model with random weights, the same each time, and leaves them as they were", async () => {
    const model = await loadModel(folder);
    const weights = await weightsOf(model);
    const told = new Map<string, number>();
    const run = await probe(model, task, {
      onProgress: ({ label, part, done, total }) => told.set(`${label}, ${part}`, done / total),
    });
    expect(run.scores).toHaveLength(1);
    expect(run.scores[0]).toMatchObject({ on: "test", step: 0, n: 100 });
    const { score, standardError, loss } = run.scores[0]!;
    expect(score).toBeGreaterThan(0.5 + 3 * standardError);
    expect(loss).toBeLessThan((await evaluate(model, task)).scores[0]!.loss!);
    expect(run.header).toMatchObject({
      method: "LP",
      seed: 0,
      settings: { begin: "mezo", earlyStop: false, folds: 5 },
    });
    expect(run.steps).toEqual([]);
    expect(Object.fromEntries(told)).toEqual({ "LP, features": 1, "LP, fits": 1, "LP, test": 1 });
    expect((await probe(model, task)).scores).toEqual(run.scores);
    expect(await weightsOf(model)).toEqual(weights);
    model.dispose();
  });

  test("scores as the model does with the rows in its output matrix", async () => {
    const model = await loadModel(folder);
    const { answers, rows } = await probeHead(model, task);
    const run = await probe(model, task);
    const matrix = await valuesOf(model.head.weight);
    // The matrix is the embedding too, but no prompt has an answer in it.
    answers.forEach((id, i) => matrix.set(rows[i]!, id * 16));
    setValues(model.head.weight, matrix);
    const { score, loss } = (await evaluate(model, task)).scores[0]!;
    expect(run.scores[0]!.score).toBe(score);
    expect(run.scores[0]!.loss).toBeCloseTo(loss!, 5);
    model.dispose();
  });

  test("halves the fit of two answers into opposite rows, and stops early where it is told to", async () => {
    const model = await loadModel(folder);
    const { rows } = await probeHead(model, task);
    const early = await probeHead(model, task, { earlyStop: true });
    expect(Math.max(...rows[0]!.map(Math.abs))).toBeGreaterThan(1e-3);
    rows[0]!.forEach((v, j) => expect(rows[1]![j]).toBeCloseTo(-v, 6));
    expect(early.rows).not.toEqual(rows);
    early.rows[0]!.forEach((v, j) => expect(v).toBeCloseTo(rows[0]![j]!, 1));
    model.dispose();
  });

  test("fits a bias where the output matrix has one, and leaves the row of an answer without examples", async () => {
    const model = await loadModel(folder);
    const bias = tf.tensor1d(Array.from({ length: 19 }, (_, i) => i / 10));
    const biased: LanguageModel = { ...model, head: { ...model.head, bias } };
    const texts = [
      "the film was warm It was",
      "the plot was dull It was",
      "a cast was fine It was",
      "a film was poor It was",
    ];
    const examples = Array.from({ length: 12 }, (_, i) =>
      example(`${"and ".repeat(i % 3)}${texts[i % 4]}`, [" terrible", " great", " warm"], i % 2 ? 0 : 1),
    );
    const { answers, rows } = await probeHead(biased, { ...task, train: examples });
    expect(answers).toEqual([4, 5, 11]);
    expect(rows.map((row) => row.length)).toEqual([17, 17, 17]);
    expect(rows[0]![16]).toBeCloseTo(-rows[1]![16]!, 6);
    const own = [...(await valuesOf(model.head.weight)).subarray(11 * 16, 12 * 16)];
    expect([...rows[2]!.subarray(0, 16)]).toEqual(own);
    expect(rows[2]![16]).toBeCloseTo(1.1, 6);
    bias.dispose();
    model.dispose();
  });

  test.each<[string, Example[], RegExp]>([
    [
      "answers of several tokens",
      Array.from({ length: 6 }, (_, i) => example("It was", [" a warm film", " dull"], i % 2)),
      /not the same single tokens in every example: train the output matrix alone/,
    ],
    [
      "one answer only",
      Array.from({ length: 6 }, () => example("It was", [" dull", " warm"], 1)),
      /6 training examples have 1 different answers: give at least 5/,
    ],
  ])("refuses %s", async (_, train, message) => {
    const model = await loadModel(folder);
    const bad: Task = { ...task, train };
    await expect(probe(model, bad)).rejects.toThrow(message);
    model.dispose();
  });
});
