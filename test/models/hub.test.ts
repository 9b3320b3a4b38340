import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { downloadProgress } from "../../src/checkpoints/hub/download.ts";
import { loadModel, openModel, placeOf } from "../../src/models/load.ts";
import type { Progress } from "../../src/tensor/progress.ts";
import { commitOf, startFakeHub } from "../checkpoints/fakeHub.ts";
import { temporaryFolder } from "../checkpoints/files.ts";
import { TINY } from "../checkpoints/gguf/files.ts";
import { torchZip } from "../checkpoints/torchFiles.ts";
import { tinyModel, tinyTensors } from "../tiny.ts";
import { allValues } from "../values.ts";

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

describe("a model on the hub", () => {
  /** Starts a hub with these files on its main branch, and makes it the one that is asked. */
  async function useHub(files: Readonly<Record<string, Buffer>>): Promise<void> {
    const { hubUrl } = await startFakeHub({ revisions: { main: files } });
    vi.stubEnv("HF_ENDPOINT", hubUrl);
    vi.stubEnv("HF_HUB_OFFLINE", undefined);
  }

  const filesOf = (folder: string): Record<string, Buffer> =>
    Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
  const { "model.safetensors": _, ...configAndTokenizer } = filesOf(tinyModel());

  test("loads from PyTorch's files, one or several", async () => {
    const tensors = tinyTensors();
    const shards = [tensors.slice(0, 3), tensors.slice(3)].map((part, i) => ({
      name: `pytorch_model-0000${i + 1}-of-00002.bin`,
      part,
    }));
    const weight_map = Object.fromEntries(
      shards.flatMap(({ name, part }) => part.map((tensor) => [tensor.name, name])),
    );
    const several = {
      "pytorch_model.bin.index.json": Buffer.from(JSON.stringify({ weight_map })),
      ...Object.fromEntries(shards.map(({ name, part }) => [name, Buffer.from(torchZip(part))])),
    };
    const values: unknown[] = [];
    for (const weights of [{ "pytorch_model.bin": Buffer.from(torchZip(tensors)) }, several]) {
      vi.stubEnv("HF_HUB_CACHE", temporaryFolder());
      await useHub({ ...configAndTokenizer, ...weights });
      const model = await loadModel("org/tiny");
      values.push(await allValues(model.parameters.map(({ value }) => value)));
      model.dispose();
    }
    const plain = await loadModel(tinyModel());
    expect(values[0]).toEqual(await allValues(plain.parameters.map(({ value }) => value)));
    expect(values[1]).toEqual(values[0]);
    plain.dispose();
  });

  test("in a GGUF file goes by that file's name, under which it is found again", async () => {
    await useHub({ "tiny.Q4.gguf": readFileSync(TINY), "README.md": Buffer.from("#") });
    const model = await loadModel("org/tiny");
    expect(model).toMatchObject({ id: "org/tiny/tiny.Q4.gguf", revision: commitOf("main") });
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    const again = await loadModel(placeOf(model));
    expect(again.weightsHash).toBe(model.weightsHash);
    for (const one of [model, again]) one.dispose();
  });

  test("goes by its name there where its folder in the cache is given", async () => {
    await useHub(filesOf(tinyModel()));
    const model = await loadModel("org/tiny");
    const same = await loadModel(model.folder);
    expect(same).toMatchObject({ id: "org/tiny", revision: commitOf("main") });
    expect(placeOf(same)).toBe(`org/tiny@${commitOf("main")}`);
    for (const one of [model, same]) one.dispose();
  });
});
