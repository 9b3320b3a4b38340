import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { loadModel } from "../../src/models/load.ts";
import { outlineModel } from "../../src/models/outline.ts";
import { startFakeHub } from "../checkpoints/fakeHub.ts";

const listed = ({ name, value }: { name: string; value: { shape: number[]; size: number; rank: number } }) => ({
  ...{ name, shape: value.shape, size: value.size, rank: value.rank },
});

describe.each(["opt-reviews", "roberta-reviews", "test/checkpoints/gguf/tiny.gguf"])("the outline of %s", (id) => {
  test("has the weights, layers and limits of the loaded model, and no values", async () => {
    const outline = await outlineModel(id);
    const model = await loadModel(id);
    expect(outline.parameters.map(listed)).toEqual(model.parameters.map(listed));
    const facts = ({ layers, embeddings, keyWidth, keyHeads, prompts, maxLength }: typeof outline | typeof model) => ({
      ...{ embeddings, keyWidth, keyHeads, prompts, maxLength },
      layers: layers.map(({ parameters, query, value }) => ({ parameters, query, value })),
    });
    expect(facts(outline)).toEqual(facts(model));
    expect(outline.parameters.find(({ value }) => value === outline.head.weight)?.name).toBe(
      model.parameters.find(({ value }) => value === model.head.weight)?.name,
    );
    model.dispose();
  });
});

test("in 16 bits matrices have two bytes a number, as loaded ones do", async () => {
  const outline = await outlineModel("opt-reviews", { weights: "float16" });
  const model = await loadModel("opt-reviews", { weights: "float16" });
  expect(outline.parameters.map(({ bytes }) => bytes)).toEqual(model.parameters.map(({ bytes }) => bytes));
  model.dispose();
});

test.each([
  ["facebook/opt-13b", 12.85],
  ["opt-66b", 65.72],
  ["opt-350m", 0.331],
  ["roberta-large", 0.355],
])("the paper's %s is known without a hub or a file, with its number of weights", async (id, billions) => {
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  vi.stubEnv("HF_HUB_CACHE", mkdtempSync(join(tmpdir(), "hub-")));
  const { parameters } = await outlineModel(id);
  const weights = parameters.reduce((sum, { value }) => sum + value.size, 0);
  expect(Math.abs(weights / 1e9 / billions - 1)).toBeLessThan(0.01);
  vi.unstubAllEnvs();
});

test("a folder needs no more than its config.json; one of a model that the kit cannot build is refused as at loading", async () => {
  const folder = mkdtempSync(join(tmpdir(), "config-"));
  const sizes = { vocab_size: 100, hidden_size: 8, num_hidden_layers: 2, ffn_dim: 16, num_attention_heads: 2 };
  writeFileSync(
    join(folder, "config.json"),
    JSON.stringify({ model_type: "opt", max_position_embeddings: 10, ...sizes }),
  );
  expect((await outlineModel(folder)).layers).toHaveLength(2);
  writeFileSync(join(folder, "config.json"), JSON.stringify({ model_type: "t5" }));
  await expect(outlineModel(folder)).rejects.toThrow(/holds a model of type "t5", which the kit cannot build/);
});

test("a hub id whose config is not on this machine is refused offline in one sentence", async () => {
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  vi.stubEnv("HF_HUB_CACHE", mkdtempSync(join(tmpdir(), "hub-")));
  await expect(outlineModel("owner/unknown")).rejects.toThrow(/owner\/unknown[^\n]*\.$/);
  vi.unstubAllEnvs();
});

test("of a model on the hub its config.json is fetched and nothing else, once", async () => {
  const sizes = { vocab_size: 100, hidden_size: 8, num_hidden_layers: 2, ffn_dim: 16, num_attention_heads: 2 };
  const config = JSON.stringify({ model_type: "opt", max_position_embeddings: 10, ...sizes });
  const files = { "config.json": config, "tokenizer.json": "{}", "model.safetensors": "weights" };
  const { hubUrl, requests } = await startFakeHub({ revisions: { main: files } });
  vi.stubEnv("HF_ENDPOINT", hubUrl);
  vi.stubEnv("HF_HUB_OFFLINE", undefined);
  vi.stubEnv("HF_HUB_CACHE", mkdtempSync(join(tmpdir(), "hub-")));
  expect((await outlineModel("org/tiny")).layers).toHaveLength(2);
  const asked = requests.filter(({ url }) => url.includes("/resolve/")).map(({ url }) => url.split("/").at(-1));
  expect(asked).toEqual(["config.json"]);
  const { length } = requests;
  await outlineModel("org/tiny");
  expect(requests).toHaveLength(length);
  vi.unstubAllEnvs();
});
