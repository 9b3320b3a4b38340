import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lora } from "../../src/adapters/lora.ts";
import { evaluate } from "../../src/experiment/evaluate.ts";
import { replay } from "../../src/experiment/replay.ts";
import { tune } from "../../src/experiment/tune.ts";
import { loadModel } from "../../src/models/load.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import { saveModel } from "../../src/models/save.ts";
import { packBatch } from "../../src/nn/batch.ts";
import { features } from "../../src/nn/run.ts";
import { readRun } from "../../src/record/read.ts";
import { writeRun } from "../../src/record/write.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { tinyData, tinyModel, tinyTensors, WORDS } from "../tiny.ts";
import { takeRows } from "../values.ts";
import { parallel } from "./parallel.ts";

const CONFIG = { model_type: "parallel", vocab_size: 4 + WORDS.length, width: 8, layers: 2 };
const SETTINGS = { steps: 2, batchSize: 4, evaluateEvery: 1, seed: 5 };

const task = await loadTask("SST-2", { data: tinyData(), train: 24, dev: 12, test: 12, seed: 1 });

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(tinyModel({ config: CONFIG, tensors: tinyTensors(CONFIG, parallel) }));
});
afterAll(() => model.dispose());

describe("a model family that is defined in a file of its own outside the kit", () => {
  test("is loaded, and saved as a model that gives the same features", async () => {
    const folder = mkdtempSync(join(tmpdir(), "own-"));
    await saveModel(model, folder);
    const again = await loadModel(folder);
    const seen = (network: LanguageModel): Promise<number[][]> =>
      takeRows(tf.tidy(() => features(network, packBatch([[0, 5, 9]]), [1, 2])));
    expect(await seen(again)).toEqual(await seen(model));
    expect(Math.max(...(await seen(model)).flat())).toBeGreaterThan(0.1);
    again.dispose();
  });

  test("is scored zero-shot", async () => {
    const { scores } = await evaluate(model, task);
    expect(scores).toEqual([expect.objectContaining({ on: "test", n: 12, loss: expect.any(Number) })]);
  });

  test.each([undefined, lora({ rank: 2 })])(
    "is tuned by MeZO, and its run replayed to the weights' hash from its file alone",
    async (adapter) => {
      const file = join(mkdtempSync(join(tmpdir(), "own-")), "run.jsonl");
      const tuned = await tune(model, task, mezo({ lr: 1e-2, eps: 1e-2 }), {
        ...SETTINGS,
        ...(adapter && { adapter }),
      });
      writeRun(file, tuned);
      const [first, second] = tuned.steps.map(({ losses }) => losses);
      expect(first![0]).not.toBe(first![1]);
      expect(second).not.toEqual(first);
      const again = await replay(model, readRun(file));
      expect(again.checked).toBe(true);
      again.dispose();
    },
  );
});

test("a model of a family that is not defined is refused, and those that are defined are listed", async () => {
  const unknown = tinyModel({ config: { model_type: "elsewhere" } });
  await expect(loadModel(unknown)).rejects.toThrow(
    /holds a model of type "elsewhere", which the kit cannot build: it knows [^.]*opt, [^.]*parallel/,
  );
});
