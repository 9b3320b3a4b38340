import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lora } from "../../src/adapters/lora.ts";
import { classify } from "../../src/experiment/classify.ts";
import { evaluate } from "../../src/experiment/evaluate.ts";
import { loadTuned } from "../../src/experiment/loadTuned.ts";
import { saveTuned } from "../../src/experiment/saveTuned.ts";
import { tune } from "../../src/experiment/tune.ts";
import { bestModel, type Tuned } from "../../src/experiment/tuned.ts";
import { type LanguageModel, loadModel } from "../../src/index.ts";
import { hashTheta } from "../../src/record/observe.ts";
import { readRun } from "../../src/record/read.ts";
import { writeRun } from "../../src/record/write.ts";
import { loadTask } from "../../src/tasks/load.ts";
import type { TaskDefinition } from "../../src/tasks/task.ts";
import { adam } from "../../src/tuners/adam.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { tinyData, tinyModel, tinyTensors } from "../tiny.ts";

const folder = tinyModel();
const data = tinyData();
const parts = { data, train: 24, dev: 12, test: 12, seed: 1 };
const task = await loadTask("SST-2", parts);
const zeroth = mezo({ lr: 1e-2, eps: 1e-2 });
const base = { steps: 4, batchSize: 4, evaluateEvery: 2, seed: 5 };
const TEXTS = ["the film was warm", "a plot was dull"];

const place = (): string => join(mkdtempSync(join(tmpdir(), "saved-")), "tuned");

/** Tunes a model, or an adapter, and gives what was best. */
async function tunedBest(model: LanguageModel, options: object = {}): Promise<Tuned> {
  return bestModel(model, task, await tune(model, task, zeroth, { ...base, ...options }));
}

test("a full model's folder is a model's, which loadModel loads as any other", async () => {
  const model = await loadModel(folder);
  const tuned = await tunedBest(model);
  const saved = place();
  await saveTuned(tuned, saved);
  expect(readdirSync(saved).sort()).toEqual([
    ...["config.json", "model.safetensors", "run.jsonl", "task.json", "tokenizer.json", "tuned.json"],
  ]);
  expect(JSON.parse(readFileSync(join(saved, "task.json"), "utf8"))).toEqual({ task: "SST-2" });
  expect(readRun(join(saved, "run.jsonl"))).toEqual(tuned.run);
  const plain = await loadModel(saved);
  expect(await hashTheta(plain.parameters)).toBe(await hashTheta(tuned.model.parameters));
  expect(await classify(plain, "SST-2", TEXTS)).toEqual(await classify(tuned.model, task, TEXTS));
  for (const one of [tuned, model, plain]) one.dispose();
});

test("a folder of another tuned model is replaced whole, and one with other files or the base weights is refused", async () => {
  const model = await loadModel(folder);
  const full = await tunedBest(model);
  const saved = place();
  await saveTuned(full, saved);
  full.dispose();
  const adapter = await tunedBest(model, { adapter: lora({ rank: 2 }) });
  await saveTuned(adapter, saved);
  expect(readdirSync(saved).sort()).toEqual([
    ...["adapter_config.json", "adapter_model.safetensors", "run.jsonl", "task.json", "tuned.json"],
  ]);
  expect(readdirSync(join(saved, ".."))).toEqual(["tuned"]);
  const other = mkdtempSync(join(tmpdir(), "saved-"));
  writeFileSync(join(other, "thesis.txt"), "irreplaceable");
  await expect(saveTuned(adapter, other)).rejects.toThrow(/other files are there/);
  await expect(saveTuned(adapter, folder)).rejects.toThrow(/its base weights lie there/);
  expect(readdirSync(other)).toEqual(["thesis.txt"]);
  adapter.dispose();
  model.dispose();
});

test("what cannot be saved leaves the folder as it was, and nothing beside it", async () => {
  const model = await loadModel(folder);
  const tuned = await tunedBest(model);
  const saved = place();
  await saveTuned(tuned, saved);
  const before = readFileSync(join(saved, "model.safetensors"));
  tuned.dispose(); // the base weights are back, and are not to be saved as the tuned ones
  await expect(saveTuned(tuned, saved)).rejects.toThrow(/the weights that MeZO tuned are not in it/);
  expect(readFileSync(join(saved, "model.safetensors"))).toEqual(before);
  expect(readdirSync(join(saved, ".."))).toEqual(["tuned"]);
  const blocked = join(saved, "config.json", "below");
  await expect(saveTuned(await tunedBest(model), blocked)).rejects.toThrow(/choose a folder that can be written/);
  model.dispose();
});

test("an adapter needs its own base model, found where it was or given", async () => {
  const own = tinyModel();
  const model = await loadModel(own);
  const tuned = await tunedBest(model, { adapter: lora({ rank: 2 }) });
  const saved = place();
  await saveTuned(tuned, saved);
  const expected = await classify(tuned.model, task, TEXTS);
  tuned.dispose();
  const moved = `${own}-moved`;
  renameSync(own, moved);
  await expect(loadTuned(saved)).rejects.toThrow(/needs its base model tiny-opt-.*give it as loadTuned's model/);
  const loaded = await loadTuned(saved, { model: moved });
  expect(await classify(loaded.model, loaded.task, TEXTS)).toEqual(expected);
  loaded.dispose();
  const strangers = tinyTensors().map((one) => ({ ...one, data: one.data.map((value) => 2 * value) }));
  const stranger = await loadModel(tinyModel({ tensors: strangers }));
  await expect(loadTuned(saved, { model: stranger })).rejects.toThrow(/belongs to tiny-opt-.* but tiny-opt-/);
  for (const one of [model, stranger]) one.dispose();
});

test.each([
  ["a model in 16 bits", folder, { weights: "float16" }, {}],
  ["an adapter of a model in 16 bits", folder, { weights: "bfloat16" }, { adapter: lora({ rank: 2 }) }],
  ["a model with an output matrix of its own", "roberta-reviews", { untied: true }, {}],
  ["an adapter of such a model", "roberta-reviews", { untied: true }, { adapter: lora({ rank: 2 }) }],
] as const)("%s is loaded as it was tuned", async (_what, id, load, options) => {
  const model = await loadModel(id, load);
  const tuned = await tunedBest(model, options);
  const saved = place();
  await saveTuned(tuned, saved);
  const expected = await classify(tuned.model, task, TEXTS);
  const hash = await hashTheta((tuned.adapted ?? tuned.model).parameters);
  for (const one of [tuned, model]) one.dispose();
  const loaded = await loadTuned(saved);
  expect(loaded.model.kept).toEqual(model.kept);
  expect(await hashTheta((loaded.adapted ?? loaded.model).parameters)).toBe(hash);
  expect(await classify(loaded.model, loaded.task, TEXTS)).toEqual(expected);
  loaded.dispose();
});

test("a task of one's own is given again when its model is loaded", async () => {
  const own: TaskDefinition = {
    ...{ name: "Tone", metric: "accuracy", loss: "candidates" },
    autoregressive: { prompt: ({ sentence }) => `${sentence} It was`, options: () => [" dull", " fine"] },
    gold: ({ label }) => [Number(label)],
  };
  const ownTask = await loadTask(own, parts);
  const model = await loadModel(folder);
  const run = await tune(model, ownTask, zeroth, base);
  const tuned = await bestModel(model, ownTask, run);
  const saved = place();
  await saveTuned(tuned, saved);
  const rows = TEXTS.map((sentence) => ({ sentence }));
  const expected = await classify(tuned.model, tuned.task, rows);
  await expect(loadTuned(saved)).rejects.toThrow(/answers "Tone", a task of your own.*loadTuned\(folder, \{ task \}\)/);
  await expect(loadTuned(saved, { task })).rejects.toThrow(/answers Tone, and the task SST-2 was given/);
  const loaded = await loadTuned(saved, { task: own });
  expect(await classify(loaded.model, loaded.task, rows)).toEqual(expected);
  for (const one of [tuned, model, loaded]) one.dispose();
});

test("a folder that saveTuned did not write, or whose weights were exchanged, is refused", async () => {
  const model = await loadModel(folder);
  await expect(loadTuned(folder)).rejects.toThrow(/no tuned.json there/);
  const tuned = await tunedBest(model);
  const saved = place();
  await saveTuned(tuned, saved);
  const bytes = readFileSync(join(folder, "model.safetensors"));
  writeFileSync(join(saved, "model.safetensors"), bytes);
  await expect(loadTuned(saved)).rejects.toThrow(/was saved with the weights .* are there/);
  writeFileSync(join(saved, "tuned.json"), '{"holds": "everything", "step": 1}');
  await expect(loadTuned(saved)).rejects.toThrow(/does not describe a tuned model/);
  tuned.dispose();
  model.dispose();
});

test("the best of a run is had from its file, but not of FT without kept weights, nor for another task or model", async () => {
  const model = await loadModel(folder);
  const run = await tune(model, task, zeroth, base);
  const file = join(mkdtempSync(join(tmpdir(), "runs-")), "run.jsonl");
  writeRun(file, run);
  const [known, read] = [await tunedHash(model, run), await tunedHash(model, readRun(file))];
  expect(read).toBe(known);
  await expect(bestModel(model, "RTE", run)).rejects.toThrow(/on SST-2 was asked for, and the task RTE was given/);
  const ft = await tune(model, task, adam({ lr: 1e-3 }), base);
  await expect(bestModel(model, task, ft)).rejects.toThrow(/run of FT .* tune again with keepBest: true/);
  const kept = await tune(model, task, adam({ lr: 1e-3 }), { ...base, keepBest: true });
  const numbers = model.parameters.reduce((sum, { value }) => sum + value.size, 0);
  expect(kept.cost.predicted!.temporaries - ft.cost.predicted!.temporaries).toBe(4 * numbers);
  await expect(bestModel(model, task, await evaluate(model, task))).rejects.toThrow(
    /run of Zero-shot .* tunes nothing/,
  );
  const copy = { ...kept }; // as a file would give it
  await expect(bestModel(model, task, copy)).rejects.toThrow(/keepBest/);
  expect(existsSync(file)).toBe(true);
  model.dispose();
});

async function tunedHash(model: LanguageModel, run: Tuned["run"]): Promise<string> {
  const tuned = await bestModel(model, task, run);
  const hash = await hashTheta(tuned.model.parameters)!;
  tuned.dispose();
  return hash;
}
