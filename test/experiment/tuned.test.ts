import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { headTuning } from "../../src/adapters/head.ts";
import { lora } from "../../src/adapters/lora.ts";
import { prefix } from "../../src/adapters/prefix.ts";
import { classify } from "../../src/experiment/classify.ts";
import { loadTuned } from "../../src/experiment/loadTuned.ts";
import { probe } from "../../src/experiment/probe.ts";
import { saveTuned } from "../../src/experiment/saveTuned.ts";
import { tune } from "../../src/experiment/tune.ts";
import { bestModel, type Tuned } from "../../src/experiment/tuned.ts";
import type { TuneOptions } from "../../src/experiment/tuneOptions.ts";
import { loadModel } from "../../src/index.ts";
import { hashTheta } from "../../src/record/observe.ts";
import type { Run } from "../../src/record/run.ts";
import { bestStep } from "../../src/record/steps.ts";
import { classification } from "../../src/tasks/classification.ts";
import { loadTask } from "../../src/tasks/load.ts";
import type { Task } from "../../src/tasks/task.ts";
import { adam } from "../../src/tuners/adam.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import type { Tuner } from "../../src/tuners/tuner.ts";
import { tinyData, tinyModel } from "../tiny.ts";

const folder = tinyModel();
const spec = { text: "sentence", label: "label", classes: { 0: " dull", 1: " fine" }, prompt: "{sentence} It was" };
const data = tinyData();
const task = await loadTask(classification(spec), { data, train: 24, dev: 12, test: 12, seed: 1 });
const base = { steps: 8, batchSize: 4, evaluateEvery: 2, seed: 5 };
const zeroth = mezo({ lr: 1e-2, eps: 1e-2 });

/** The rows of the test part as a new file would have them, with their labels. */
const textsOf = ({ test }: Task): string[] =>
  test.map(({ autoregressive }) => autoregressive!.prompt.replace(/ It was$/, ""));

/** How many of the answers to the test part are right, as a share. */
async function scoreOf(tuned: Pick<Tuned, "model" | "task">): Promise<number> {
  const answers = await classify(tuned.model, tuned.task, textsOf(task));
  const labels = tuned.task.classNames!;
  return answers.filter(({ label }, i) => task.test[i]!.gold.includes(labels.indexOf(label))).length / answers.length;
}

const bestScore = (run: Run): number => run.scores.findLast(({ on }) => on === "test")!.score;

/** The trained weights, by their hash. */
const hashOf = ({ model, adapted }: Pick<Tuned, "model" | "adapted">): Promise<string> =>
  hashTheta(adapted?.parameters ?? model.parameters);

/** The hash that training itself noted when dev was at its best. */
const bestHash = (run: Run): string =>
  run.scores.find(({ on, step }) => on === "dev" && step === bestStep(run))!.theta!;

const KINDS: readonly [string, Tuner, Partial<TuneOptions>][] = [
  ["MeZO", zeroth, {}],
  ["MeZO (LoRA)", zeroth, { adapter: lora({ rank: 2 }) }],
  ["MeZO (prefix)", zeroth, { adapter: prefix({ length: 2 }) }],
  ["MeZO (head)", zeroth, { adapter: headTuning() }],
  ["FT", adam({ lr: 1e-2 }), { keepBest: true }],
  ["FT (LoRA)", adam({ lr: 1e-2 }), { keepBest: true, adapter: lora({ rank: 2 }) }],
  ["FT (prefix)", adam({ lr: 1e-2 }), { keepBest: true, adapter: prefix({ length: 2 }) }],
  ["FT (head)", adam({ lr: 1e-2 }), { keepBest: true, adapter: headTuning() }],
];

describe.each(KINDS)("the best model of %s", (_method, tuner, options) => {
  test("has the weights of the best step and the run's score, from memory and from what its folder holds", async () => {
    const model = await loadModel(folder);
    const run = await tune(model, task, tuner, { ...base, ...options });
    const tuned = await bestModel(model, task, run);
    expect(tuned.step).toBe(bestStep(run));
    expect(await hashOf(tuned)).toBe(bestHash(run));
    expect(await scoreOf(tuned)).toBe(bestScore(run));
    const place = join(mkdtempSync(join(tmpdir(), "tuned-")), "tuned");
    await saveTuned(tuned, place);
    const answers = await classify(tuned.model, tuned.task, textsOf(task));
    tuned.dispose();
    model.dispose();

    const loaded = await loadTuned(place);
    expect(await hashOf(loaded)).toBe(bestHash(run));
    expect(loaded.run).toEqual(run);
    expect(loaded.step).toBe(tuned.step);
    expect(await classify(loaded.model, loaded.task, textsOf(task))).toEqual(answers);
    loaded.dispose();
  });
});

test.each([
  ["a probe", folder],
  ["a probe of a masked model, whose matrix has a bias", "roberta-reviews"],
])("the best model of %s has the run's score, and its folder the run alone", async (_what, id) => {
  const model = await loadModel(id);
  const run = await probe(model, task);
  const tuned = await bestModel(model, task, run);
  expect(await scoreOf(tuned)).toBe(bestScore(run));
  const place = join(mkdtempSync(join(tmpdir(), "tuned-")), "tuned");
  await saveTuned(tuned, place);
  expect(readdirSync(place).sort()).toEqual(["run.jsonl", "task.json", "tuned.json"]);
  const expected = await hashOf(tuned);
  tuned.dispose();
  const beside = await loadTuned(place, { model });
  expect(await hashOf(beside)).toBe(expected);
  beside.dispose();
  model.dispose();
});
