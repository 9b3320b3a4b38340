import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lora } from "../../src/adapters/lora.ts";
import { probe, probeHead } from "../../src/experiment/probe.ts";
import { replay } from "../../src/experiment/replay.ts";
import { tune } from "../../src/experiment/tune.ts";
import { loadModel, saveModel } from "../../src/index.ts";
import { llama as llamaFamily } from "../../src/models/llama.ts";
import { hashTheta } from "../../src/record/observe.ts";
import { readRun } from "../../src/record/read.ts";
import { writeRun } from "../../src/record/write.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { CONFIGS } from "../nn/networks.ts";
import { tinyData, tinyModel, tinyTensors, WORDS } from "../tiny.ts";
import { valuesOf } from "../values.ts";

const task = await loadTask("SST-2", { data: tinyData(), train: 24, dev: 12, test: 12, seed: 1 });
const LLAMA = { ...CONFIGS.llama!, vocab_size: 4 + WORDS.length, tie_word_embeddings: true };
const llama = tinyModel({ config: LLAMA, tensors: tinyTensors(LLAMA, llamaFamily) });
/** So small a step moves no weight: what is scored is where the run began. */
const still = { lr: 1e-30, eps: 1e-3 };

test.each([
  ["a tied output matrix", () => loadModel(tinyModel())],
  ["an output matrix of its own", () => loadModel(llama, { untied: true })],
])("MeZO that begins from a probe begins with its score and loss, with %s", async (_name, load) => {
  const model = await load();
  const probed = await probe(model, task, { earlyStop: true });
  const run = await tune(model, task, mezo(still), { steps: 1, batchSize: 2, from: probed, method: "LP-MeZO" });
  const [score, expected] = [run, probed].map(({ scores }) => scores.findLast(({ on }) => on === "test")!);
  expect(score!.score).toBe(expected!.score);
  expect(score!.loss).toBeCloseTo(expected!.loss!, 5);
  const { scores } = await tune(model, task, mezo(still), { steps: 1, batchSize: 2 });
  expect(scores.at(-1)!.loss).not.toBeCloseTo(expected!.loss!, 2);
  model.dispose();
});

test("its file makes the weights again, to the bit, and holds the rows in float32", async () => {
  const model = await loadModel(tinyModel());
  const probed = await probe(model, task);
  const { rows, answers } = await probeHead(model, task);
  const held = new Float32Array(Uint8Array.from(Buffer.from(probed.header.head!.rows, "base64")).buffer);
  expect(probed.header.head).toMatchObject({ weight: "model.decoder.embed_tokens.weight", answers });
  expect([...held]).toEqual(rows.flatMap((row) => [...row].map(Math.fround)));
  const settings = { steps: 3, batchSize: 2, keepWeights: true, from: probed };
  const run = await tune(model, task, mezo({ lr: 1e-2, eps: 1e-2 }), settings);
  const hash = await hashTheta(model.parameters);
  model.restore();
  const file = join(tinyModel(), "run.jsonl");
  writeRun(file, run);
  const again = await replay(model, readRun(file));
  expect(again.checked).toBe(true);
  expect(await hashTheta(model.parameters)).toBe(hash);
  again.dispose();
  model.dispose();
});

test("an adapter, whose weights hold no output matrix, cannot begin from a probe", async () => {
  const model = await loadModel(tinyModel());
  const from = await probe(model, task);
  await expect(tune(model, task, mezo(still), { steps: 1, from, adapter: lora({ rank: 2 }) })).rejects.toThrow(
    /need the same adapter/,
  );
  model.dispose();
});

test("an untied model is the tied one until it is tuned, is saved as what it is, and its runs are kept apart", async () => {
  const [tied, own] = [await loadModel(llama), await loadModel(llama, { untied: true })];
  expect(own.parameters.length).toBe(tied.parameters.length + 1);
  const embedding = own.parameters.find(({ name }) => name === "model.embed_tokens.weight")!;
  expect(own.head.weight).not.toBe(embedding.value);
  expect(await valuesOf(own.head.weight)).toEqual(await valuesOf(embedding.value));
  const run = await tune(own, task, mezo({ lr: 1e-2, eps: 1e-2 }), { steps: 2, batchSize: 2, keepWeights: true });
  expect(run.header.untied).toBe(true);
  await expect(replay(tied, run)).rejects.toThrow(/output matrix of its own.*load it with untied true/);
  const folder = tinyModel();
  await saveModel(own, folder);
  expect(JSON.parse(readFileSync(join(folder, "config.json"), "utf8")).tie_word_embeddings).toBe(false);
  const saved = await loadModel(folder);
  expect(await valuesOf(saved.head.weight)).toEqual(await valuesOf(own.head.weight));
  for (const model of [tied, own, saved]) model.dispose();
});

test("a family without such a matrix says so", async () => {
  await expect(loadModel(tinyModel(), { untied: true })).rejects.toThrow(
    /a model of type "opt" does not have: leave out untied/,
  );
});
