import { afterEach, describe, expect, test } from "vitest";
import type { Adapter } from "../../src/adapters/adapter.ts";
import { lora } from "../../src/adapters/lora.ts";
import { KitError } from "../../src/error.ts";
import { replay } from "../../src/experiment/replay.ts";
import { tune } from "../../src/experiment/tune.ts";
import { loadModel } from "../../src/models/load.ts";
import type { WeightOptions } from "../../src/models/weights.ts";
import type { Run } from "../../src/record/run.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { type BackendName, probeBackends, useBackend } from "../../src/tensor/backend.ts";
import { rademacher } from "../../src/tensor/parameter.ts";
import { mezoAdam } from "../../src/tuners/adam.ts";
import { conMezo } from "../../src/tuners/cone.ts";
import { nSpsa } from "../../src/tuners/estimates.ts";
import { lozo, lozoMomentum } from "../../src/tuners/lozo.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { mezoMomentum } from "../../src/tuners/rules.ts";
import { sparseMezo } from "../../src/tuners/sparse.ts";
import type { Tuner } from "../../src/tuners/tuner.ts";
import { tinyData, tinyModel } from "../tiny.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "tensorflow")!;
const folder = tinyModel();
const task = await loadTask("SST-2", { data: tinyData(), train: 24, dev: 12, test: 12, seed: 1 });
const zeroth = { lr: 1e-3, eps: 1e-2 };
const decayed = { ...zeroth, schedule: "linear", weightDecay: 0.1 } as const;

/** A tuner, and how the weights that it changes are kept. */
interface Case {
  readonly tuner: Tuner;
  readonly weights?: WeightOptions;
  readonly adapter?: Adapter;
  /** 24 where they are left out. */
  readonly steps?: number;
}

const CASES: Readonly<Record<string, Case>> = {
  "Gaussian noise and weight decay": { tuner: mezo(decayed), steps: 200 },
  "Rademacher noise and weight decay": { tuner: mezo({ ...decayed, noise: rademacher }) },
  momentum: { tuner: mezoMomentum({ ...zeroth, weightDecay: 0.1 }) },
  Adam: { tuner: mezoAdam({ ...zeroth, weightDecay: 0.1 }) },
  "several z a step": { tuner: nSpsa({ ...zeroth, n: 3 }) },
  "the small weights alone": { tuner: sparseMezo({ ...decayed, share: 0.3 }) },
  "the small weights alone, in float16": {
    tuner: sparseMezo({ ...zeroth, noise: rademacher }),
    weights: { weights: "float16" },
  },
  "a z of low rank": { tuner: lozo({ ...decayed, interval: 5 }) },
  "a z of low rank, with momentum": { tuner: lozoMomentum({ ...zeroth, interval: 5 }) },
  "a cone": { tuner: conMezo({ ...zeroth, warmUp: 5 }) },
  LoRA: { tuner: mezo(decayed), adapter: lora({ rank: 2 }) },
  "weights in float16": { tuner: mezo(decayed), weights: { weights: "float16" }, steps: 200 },
  "weights in bfloat16, to the nearest": {
    tuner: mezo({ ...zeroth, noise: rademacher }),
    weights: { weights: "bfloat16", rounding: "nearest" },
  },
};

afterEach(async () => void (await useBackend("native")));

async function trained(backend: BackendName, { tuner, weights = {}, adapter }: Case, steps: number): Promise<Run> {
  expect(await useBackend(backend)).toBe(backend);
  const model = await loadModel(folder, weights);
  const run = await tune(model, task, tuner, {
    ...{ steps, batchSize: 2, evaluateEvery: steps, seed: 5 },
    ...(adapter && { adapter }),
  });
  model.dispose();
  return JSON.parse(JSON.stringify(run));
}

/** Whether a run's theta is made again to its hash. */
async function isReplayed(backend: BackendName, run: Run, { weights = {} }: Case): Promise<boolean> {
  expect(await useBackend(backend)).toBe(backend);
  const model = await loadModel(folder, weights);
  try {
    const again = await replay(model, run);
    again.dispose();
    return again.checked;
  } finally {
    model.dispose();
  }
}

describe.skipIf(!available)(`the weights of a run${available ? "" : ` (skipped: ${detail})`}`, () => {
  test.each(Object.entries(CASES))("of native are made again on TensorFlow, to the bit: %s", async (_name, each) => {
    expect(await isReplayed("tensorflow", await trained("native", each, each.steps ?? 24), each)).toBe(true);
  });

  test.each(Object.entries(CASES))("of TensorFlow are made again on native, to the bit: %s", async (_name, each) => {
    expect(await isReplayed("native", await trained("tensorflow", each, 12), each)).toBe(true);
  });

  test("of a file that was changed are refused on TensorFlow", async () => {
    const each = CASES["Gaussian noise and weight decay"]!;
    const run = await trained("native", each, 8);
    const step = run.steps[3]!;
    const changed = { ...run, steps: run.steps.with(3, { ...step, projectedGrad: 2 }) } as Run;
    await expect(isReplayed("tensorflow", changed, each)).rejects.toThrow(KitError);
  });
});
