import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { bestModel, loadModel, loadTask, loadTuned, lora, mezo, saveTuned, tune } from "../../src/index.ts";
import { cut } from "../../src/record/steps.ts";
import { commitOf, startFakeHub } from "../checkpoints/fakeHub.ts";
import { temporaryFolder } from "../checkpoints/files.ts";
import { tinyData, tinyModel, tinyTensors } from "../tiny.ts";

beforeEach(() => {
  vi.stubEnv("HF_HUB_CACHE", temporaryFolder());
  vi.stubEnv("HF_HUB_OFFLINE", undefined);
});
afterEach(() => vi.unstubAllEnvs());

/** A model's files as a hub serves them. */
function filesOf(folder: string): Record<string, Buffer> {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
}

test("a run names its model's commit on the hub, and is resumed with no other, be its weights the same", async () => {
  const files = filesOf(tinyModel());
  const main = { ...files, "generation_config.json": Buffer.from("{}") };
  const { hubUrl } = await startFakeHub({ revisions: { main, v2: files }, token: "hf_mine" });
  vi.stubEnv("HF_ENDPOINT", hubUrl);
  const task = await loadTask("SST-2", { data: tinyData(), train: 8, dev: 4, test: 4 });
  const [one, other] = [
    await loadModel("org/tiny", { token: "hf_mine" }),
    await loadModel("org/tiny@v2", { token: "hf_mine" }),
  ];
  expect([one.id, other.id]).toEqual(["org/tiny", "org/tiny"]);
  expect(one.weightsHash).toBe(other.weightsHash);
  const settings = { steps: 2, batchSize: 2, evaluateEvery: 1, seed: 1 };
  const tuner = mezo({ lr: 1e-3, eps: 1e-3 });
  const run = await tune(one, task, tuner, settings);
  expect(run.header).toMatchObject({ model: "org/tiny", revision: commitOf("main") });
  expect(JSON.stringify(run)).not.toContain("hf_mine");
  const resume = cut(run, 1);
  expect((await tune(one, task, tuner, { ...settings, resume })).scores).toEqual(run.scores);
  await expect(tune(other, task, tuner, { ...settings, resume })).rejects.toThrow(
    `revision is "${commitOf("main")}" in one and "${commitOf("v2")}" in the other`,
  );
  one.dispose();
  other.dispose();
});

test("a tuned adapter is loaded beside its base model's commit, though the hub's main branch has moved on", async () => {
  const moved = tinyTensors().map((tensor) => ({ ...tensor, data: tensor.data.map((value) => 2 * value) }));
  const [main, v1] = [tinyModel({ tensors: moved }), tinyModel()].map(filesOf);
  const { hubUrl } = await startFakeHub({ revisions: { main: main!, v1: v1! } });
  vi.stubEnv("HF_ENDPOINT", hubUrl);
  const task = await loadTask("SST-2", { data: tinyData(), train: 8, dev: 4, test: 4 });
  const model = await loadModel("org/tiny", { revision: "v1" });
  const settings = { steps: 2, batchSize: 2, evaluateEvery: 1, seed: 1, adapter: lora({ rank: 2 }) };
  const tuned = await bestModel(model, task, await tune(model, task, mezo({ lr: 1e-3, eps: 1e-3 }), settings));
  const place = join(temporaryFolder(), "tuned");
  await saveTuned(tuned, place);
  expect(JSON.parse(readFileSync(join(place, "adapter_config.json"), "utf8")).base_model_name_or_path).toBe("org/tiny");

  vi.stubEnv("HF_HUB_CACHE", temporaryFolder());
  const loaded = await loadTuned(place);
  expect(loaded.model).toMatchObject({ id: "org/tiny", revision: commitOf("v1"), weightsHash: model.weightsHash });
  for (const one of [loaded, tuned, model]) one.dispose();
});
