import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { lora } from "../../src/adapters/lora.ts";
import { prefix } from "../../src/adapters/prefix.ts";
import { replay } from "../../src/experiment/replay.ts";
import { tune } from "../../src/experiment/tune.ts";
import { encodeExample } from "../../src/loss/encode.ts";
import { loadModel } from "../../src/models/load.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import { saveModel } from "../../src/models/save.ts";
import { loadTask } from "../../src/tasks/load.ts";
import type { Task } from "../../src/tasks/task.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { tinyData } from "../tiny.ts";
import { largestDifference, logitsOf, ORACLES, type Oracle, writeOracle } from "./oracles/families.ts";

const WORDS = [
  "It",
  "was",
  "terrible",
  "great",
  "film",
  "plot",
  "warm",
  "fine",
  "dull",
  "poor",
  "the",
  "a",
  "but",
  ".",
];

/** Writes an oracle's model with a tokenizer of 19 words: BERT's vocab.txt, or a tokenizer.json. */
function writeModel(oracle: Oracle): string {
  const folder = writeOracle(oracle);
  const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...WORDS];
  const vocab = Object.fromEntries(words.map((word, id) => [word, id]));
  const json = { pre_tokenizer: { type: "Whitespace" }, model: { type: "WordLevel", vocab, unk_token: "[UNK]" } };
  if (oracle.family !== "bert") writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(json));
  else {
    writeFileSync(join(folder, "vocab.txt"), words.join("\n"));
    writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify({ do_lower_case: false }));
  }
  return folder;
}

const FAMILIES = ["mistral", "qwen2", "qwen3", "gpt2", "bert"];
const FIRST = FAMILIES.map((family) => [family, ORACLES.find((one) => one.family === family)!] as const);
const SETTINGS = { steps: 2, batchSize: 4, evaluateEvery: 1, seed: 5 };

const readTask = (): Promise<Task> => loadTask("SST-2", { data: tinyData(), train: 16, dev: 8, test: 8, seed: 1 });

async function withModel(folder: string, weights: object, use: (model: LanguageModel) => Promise<void>): Promise<void> {
  const model = await loadModel(folder, weights);
  try {
    await use(model);
  } finally {
    model.dispose();
  }
}

describe.each(FIRST)("a model of the family %s", (family, oracle) => {
  test.each([
    ["all weights", {}, {}],
    ["all weights in bfloat16", { weights: "bfloat16" }, {}],
    ["LoRA", {}, { adapter: lora({ rank: 2 }) }],
    ["a prefix", {}, { adapter: prefix({ length: 2 }) }],
  ] as const)("is tuned by MeZO, and its run replayed to the weights' hash: %s", async (_name, weights, adapter) => {
    const task = await readTask();
    await withModel(writeModel(oracle), weights, async (model) => {
      const run = await tune(model, task, mezo({ lr: 1e-2, eps: 1e-2 }), { ...SETTINGS, ...adapter });
      const [first, second] = run.steps.map(({ losses }) => losses);
      expect(first![0]).not.toBe(first![1]);
      expect(second).not.toEqual(first);
      const again = await replay(model, run);
      expect(again.checked).toBe(true);
      again.dispose();
      model.restore();
    });
  });

  test("keeps its logits when it is saved and loaded, and its own names for transformers", async () => {
    await withModel(writeModel(oracle), {}, async (model) => {
      const folder = mkdtempSync(join(tmpdir(), `${family}-saved-`));
      await saveModel(model, folder);
      await withModel(folder, {}, async (again) => {
        for (const ids of oracle.texts) expect(await logitsOf(again, ids)).toEqual(await logitsOf(model, ids));
        expect(await largestDifference(again, oracle)).toBeLessThan(1e-4);
      });
    });
  });
});

test("prompts begin with the tokens that each family's tokenizer puts before texts", async () => {
  const task = await readTask();
  const begins: Record<string, unknown> = {};
  for (const [family, oracle] of FIRST)
    await withModel(writeModel(oracle), {}, async (model) => {
      const [ids, plain] = (["mezo", "config"] as const).map((begin) => {
        const { candidates, shared } = encodeExample(model, task.train[0]!, begin);
        return [...(shared?.ids ?? candidates[0]!.ids)];
      });
      begins[family] = [ids![0], plain![0]].map((id) => (id === 1 || id === 2 ? id : "text"));
      if (family === "bert") expect(ids!.at(-1)).toBe(3); // [SEP]
    });
  expect(begins).toEqual({
    ...{ mistral: [1, 1], qwen2: ["text", 1], qwen3: ["text", 1], gpt2: ["text", 1] },
    bert: [2, 2], // [CLS]
  });
});

const PYTHON = process.env.MEZO_PYTHON;

describe.skipIf(!PYTHON)(
  `saved models in transformers${PYTHON ? "" : " (set MEZO_PYTHON to a python with it)"}`,
  () => {
    test("have the logits of their oracles, whatever the family", { timeout: 200_000 }, async () => {
      const folders: string[] = [];
      for (const oracle of ORACLES)
        await withModel(writeModel(oracle), {}, async (model) => {
          folders.push(mkdtempSync(join(tmpdir(), "for-transformers-")));
          await saveModel(model, folders.at(-1)!);
        });
      const script = join(import.meta.dirname, "oracles", "families.py");
      const printed = execFileSync(PYTHON!, [script, ...folders], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
      const found: { largest: number; unexpected: string[] }[] = JSON.parse(printed);
      expect(found).toHaveLength(ORACLES.length);
      for (const { largest, unexpected } of found) {
        expect(unexpected).toEqual([]);
        expect(largest).toBeLessThan(1e-5);
      }
    });
  },
);
