import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { downloadProgress } from "../../src/checkpoints/hubProgress.ts";
import { openModel } from "../../src/models/load.ts";
import type { Progress } from "../../src/tensor/progress.ts";
import { startFakeHub } from "../checkpoints/fakeHub.ts";
import { temporaryFolder } from "../checkpoints/files.ts";

beforeEach(() => {
  vi.stubEnv("HF_HUB_CACHE", temporaryFolder());
  vi.stubEnv("HF_TOKEN", undefined);
  vi.stubEnv("HF_HUB_OFFLINE", "1");
});
afterEach(() => vi.unstubAllEnvs());

test("a mistyped name of a bundled model, or of a folder, is told the nearest", async () => {
  await expect(openModel("opt-review")).rejects.toThrow(/\(did you mean opt-reviews\?\)\.$/);
  await expect(openModel("./roberta-review")).rejects.toThrow(/; did you mean roberta-reviews\?$/);
  const folder = join(temporaryFolder(), "my-models");
  mkdirSync(join(folder, "finetuned-opt"), { recursive: true });
  await expect(openModel(join(folder, "finetuned-op"))).rejects.toThrow(
    `did you mean ${join(folder, "finetuned-opt")}?`,
  );
  await expect(openModel("facebook/opt-125m")).rejects.toThrow(/use the bundled one\.$/);
});

test("a model of a family that the kit does not have is refused by its config.json, before its weights are fetched", async () => {
  const files = { "config.json": '{"model_type":"t5"}', "tokenizer.json": "{}", "model.safetensors": "weights" };
  const { hubUrl, requests } = await startFakeHub({ revisions: { main: files } });
  vi.stubEnv("HF_ENDPOINT", hubUrl);
  vi.stubEnv("HF_HUB_OFFLINE", undefined);
  await expect(openModel("org/tiny")).rejects.toThrow(
    /^org\/tiny holds a model of type "t5", which the kit cannot build/,
  );
  expect(requests.some(({ url }) => url.endsWith("config.json"))).toBe(true);
  expect(requests.some(({ url }) => url.endsWith("safetensors"))).toBe(false);
});

test("a download tells its progress in bytes, that it waits for the hub, and that it checks what has come", () => {
  const events: Parameters<Progress>[0][] = [];
  const told = downloadProgress((event) => events.push(event));
  const at = { file: "model.safetensors", bytes: 3, totalBytes: 7 };
  told(at);
  told({ ...at, waitSeconds: 4 });
  told({ ...at, checking: true });
  expect(events).toEqual([
    { label: "downloading", done: 3, total: 7, file: "model.safetensors" },
    { label: "downloading", done: 3, total: 7, file: "model.safetensors", waitSeconds: 4 },
    { label: "checking the download", done: 3, total: 7, file: "model.safetensors" },
  ]);
});
