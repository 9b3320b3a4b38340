import { expect, test } from "vitest";
import { prefix } from "../../src/adapters/prefix.ts";
import { replay } from "../../src/experiment/replay.ts";
import { tune } from "../../src/experiment/tune.ts";
import type { TuneOptions } from "../../src/experiment/tuneOptions.ts";
import { type LoadOptions, loadModel } from "../../src/index.ts";
import type { Run, RunHeader } from "../../src/record/run.ts";
import { cut } from "../../src/record/steps.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { probeBackends, useBackend } from "../../src/tensor/backend.ts";
import { setProducts } from "../../src/tensor/products.ts";
import { processorLevel } from "../../src/tensor/x86/library.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { tinyData, tinyModel } from "../tiny.ts";

const model = tinyModel();
const task = await loadTask("SST-2", { data: tinyData(), train: 24, dev: 12, test: 12, seed: 1 });
const elsewhere = processorLevel() === "avx2" ? "avx512" : "avx2";

async function made(options: Partial<TuneOptions> = {}, weights: LoadOptions = {}): Promise<Run> {
  const loaded = await loadModel(model, weights);
  try {
    const settings = { steps: 6, batchSize: 4, evaluateEvery: 3, seed: 5 };
    return await tune(loaded, task, mezo({ lr: 1e-3, eps: 1e-2 }), { ...settings, ...options });
  } finally {
    loaded.dispose();
  }
}

/** Whether a run's weights are found to be those that its file says. */
async function checked(run: Run, weights: LoadOptions = {}): Promise<boolean> {
  const loaded = await loadModel(model, weights);
  try {
    const replayed = await replay(loaded, run);
    replayed.dispose();
    return replayed.checked;
  } finally {
    loaded.dispose();
  }
}

const withHeader = (run: Run, change: Partial<RunHeader>): Run => ({ ...run, header: { ...run.header, ...change } });
const edited = (run: Run): Run => ({ ...run, scores: run.scores.map((each) => ({ ...each, theta: "0".repeat(16) })) });

test("a run that says nothing of products was in float32, and is resumed so on any processor, but not with others", async () => {
  const run = await made();
  const { products: _, processor: _level, ...old } = run.header;
  const resumed = await made({ resume: { ...cut(run, 3), header: old } });
  expect(resumed.scores).toEqual(run.scores);
  const moved = cut(withHeader(run, { processor: elsewhere }), 3);
  expect((await made({ resume: moved })).scores).toEqual(run.scores);
  const bf16 = cut(withHeader(run, { products: "bf16" }), 3);
  await expect(made({ resume: bf16 })).rejects.toThrow(/products is "bf16" in one and "float32" in the other/);
});

test("a finished run is given back on a processor that forms products otherwise, unless a way is chosen", async () => {
  const finished = withHeader(await made(), { products: "bf16", processor: elsewhere });
  await expect(made({ resume: finished })).rejects.toThrow(/products is "bf16" in one and "float32" in the other/);
  try {
    setProducts(undefined);
    expect(await made({ resume: finished })).toBe(finished);
  } finally {
    setProducts("float32");
  }
});

test("weights are replayed to the bit whatever formed the losses' products", async () => {
  const run = withHeader(await made(), { products: "bf16", processor: elsewhere });
  expect(await checked(run)).toBe(true);
  await expect(checked(edited(run))).rejects.toThrow(/the run was edited/);
});

test("a prefix that began from activations computed by other kernels is replayed nearly", async () => {
  const run = await made({ adapter: prefix({ length: 2 }) });
  expect(await checked(run)).toBe(true);
  await expect(checked(edited(run))).rejects.toThrow(/the run was edited/);
  for (const change of [{ processor: elsewhere }, { products: "bf16" }] as const)
    expect(await checked(withHeader(edited(run), change))).toBe(false);
});

const { available, detail } = (await probeBackends()).find(({ name }) => name === "tensorflow")!;

test.skipIf(!available)(
  `a run on TensorFlow says in what numbers it multiplied, in 16 bits too, and is replayed elsewhere to the bit${available ? "" : ` (skipped: ${detail})`}`,
  async () => {
    const multiplies = ["avx512bf16", "amx"].includes(processorLevel());
    const expected = { float32: "float32", float16: "float32", bfloat16: multiplies ? "bf16" : "float32" } as const;
    for (const [weights, products] of Object.entries(expected)) {
      const kept = { weights: weights as keyof typeof expected };
      await useBackend("tensorflow");
      const run = await made({}, kept);
      expect([weights, run.header.products]).toEqual([weights, products]);
      await useBackend("native");
      expect(await checked(run, kept)).toBe(true);
      await expect(checked(edited(run), kept)).rejects.toThrow(/the run was edited/);
    }
  },
);
