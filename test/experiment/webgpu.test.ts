import { describe, expect, test } from "vitest";
import { replay } from "../../src/experiment/replay.ts";
import { tune } from "../../src/experiment/tune.ts";
import { loadModel, useBackend } from "../../src/index.ts";
import type { WeightFormat } from "../../src/models/weights.ts";
import type { Run, RunHeader, RunRecorder, Score, StepRecord } from "../../src/record/run.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { type BackendName, probeBackends } from "../../src/tensor/backend.ts";
import { gpu } from "../../src/tensor/webgpu/gpu.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { tinyData, tinyModel } from "../tiny.ts";

const { available, detail } = (await probeBackends()).find(({ name }) => name === "webgpu")!;

const folder = tinyModel();
const task = await loadTask("SST-2", { data: tinyData(), train: 8, dev: 2, test: 2, seed: 1 });
const STEPS = 20;

async function runOn(backend: BackendName, weights: WeightFormat): Promise<Run> {
  await useBackend(backend);
  const model = await loadModel(folder, { weights });
  const run = await tune(model, task, mezo({ lr: 1e-3, eps: 1e-2 }), {
    steps: STEPS,
    batchSize: 2,
    evaluateEvery: STEPS,
    seed: 5,
  });
  model.dispose();
  return run;
}

/** The hash of the weights that a run's file leads to on a backend; the replay itself compares it with the run's. */
async function replayOn(backend: BackendName, weights: WeightFormat, run: Run): Promise<boolean | undefined> {
  await useBackend(backend);
  const model = await loadModel(folder, { weights });
  const again = await replay(model, JSON.parse(JSON.stringify(run)));
  const { checked } = again;
  again.dispose();
  model.dispose();
  return checked;
}

describe.skipIf(!available)(`runs on the GPU${available ? ` on ${detail}` : ` (skipped: ${detail})`}`, () => {
  test.each(["float32", "float16"] as const)(
    "in %s replay on native to their hash of theta, and native's there",
    async (weights) => {
      const [onNative, onGpu] = [await runOn("native", weights), await runOn("webgpu", weights)];
      const hashes = [onNative, onGpu].map(({ scores }) => scores.at(-1)!.theta);
      expect(hashes.every((hash) => hash !== undefined)).toBe(true);
      expect(await replayOn("webgpu", weights, onNative)).toBe(true);
      expect(await replayOn("native", weights, onGpu)).toBe(true);
      onNative.steps
        .slice(0, 3)
        .forEach(({ losses }, i) =>
          losses.forEach((loss, side) => expect(onGpu.steps[i]!.losses[side]).toBeCloseTo(loss, 3)),
        );
    },
  );

  test("stop where the device is lost, in a sentence, and are resumed from what was recorded", async () => {
    await useBackend("webgpu");
    const model = await loadModel(folder);
    const settings = { steps: 8, batchSize: 2, evaluateEvery: 8, seed: 5 };
    const tuner = mezo({ lr: 1e-3, eps: 1e-2 });
    const [steps, scores]: [StepRecord[], Score[]] = [[], []];
    let header: RunHeader | undefined;
    const record: RunRecorder = {
      start: (given) => {
        header = given;
      },
      step: (step) => {
        steps.push(step);
        if (steps.length === 3) gpu().device.destroy();
      },
      score: (score) => scores.push(score),
    };
    await expect(tune(model, task, tuner, { ...settings, record })).rejects.toThrow(
      /^The GPU was lost \(destroyed.*--resume/,
    );
    expect(steps.length).toBe(3);
    model.dispose();
    await useBackend("native"); // this process has no GPU any more
    const again = await loadModel(folder);
    const run = await tune(again, task, tuner, {
      ...settings,
      resume: { header: { ...header!, backend: "native" }, steps, scores },
    });
    expect(run.steps.slice(0, 3)).toEqual(steps);
    expect(run.steps.length).toBe(8);
    again.dispose();
  });
});
