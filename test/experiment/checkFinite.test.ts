import { afterAll, describe, expect, test } from "vitest";
import { lora } from "../../src/adapters/lora.ts";
import { KitError } from "../../src/error.ts";
import { evaluate } from "../../src/experiment/evaluate.ts";
import { probe } from "../../src/experiment/probe.ts";
import { tune } from "../../src/experiment/tune.ts";
import { diagnose } from "../../src/lab/diagnose.ts";
import { forwardGradient } from "../../src/lab/forwardGradient.ts";
import { loadModel } from "../../src/models/load.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { adam } from "../../src/tuners/adam.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { tinyData, tinyModel, tinyTensors } from "../tiny.ts";

/** A tiny model in whose weights some numbers are others: by the tensor's name and the numbers' places. */
function modelWith(changes: Readonly<Record<string, Readonly<Record<number, number>>>>): string {
  const tensors = tinyTensors();
  for (const [end, places] of Object.entries(changes)) {
    const { data } = tensors.find(({ name }) => name.endsWith(end))!;
    for (const [at, value] of Object.entries(places)) data[Number(at)] = value;
  }
  return tinyModel({ tensors });
}

const BROKEN = modelWith({
  "layers.1.fc1.weight": { 3: Number.NaN, 40: Number.NaN, 41: Number.POSITIVE_INFINITY },
  "layers.0.fc2.bias": { 0: Number.NEGATIVE_INFINITY },
});
const broken = await loadModel(BROKEN);
const sound = await loadModel(tinyModel());
const task = await loadTask("SST-2", { data: tinyData(120), train: 60, dev: 20, test: 20, seed: 1 });
const steps = { steps: 4, batchSize: 4 };

afterAll(() => {
  broken.dispose();
  sound.dispose();
});

test.each([
  ["zero-shot", () => evaluate(broken, task)],
  ["in-context learning", () => evaluate(broken, task, { shots: 2 })],
  ["a linear probe", () => probe(broken, task)],
  ["MeZO", () => tune(broken, task, mezo({ lr: 1e-3 }), steps)],
  ["MeZO with LoRA", () => tune(broken, task, mezo({ lr: 1e-3 }), { ...steps, adapter: lora({ rank: 2 }) })],
  ["backpropagation", () => tune(broken, task, adam({ lr: 1e-3 }), steps)],
  ["the forward gradient", () => tune(broken, task, forwardGradient({ lr: 1e-3 }), steps)],
  ["the doctor", () => diagnose(broken, task, { lr: 1e-3, batchSize: 4 })],
] as const)("%s names the weights of a checkpoint that are not finite, and blames no learning rate", async (_, run) => {
  const error = await run().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KitError);
  expect((error as Error).message).toMatch(
    /^tiny-opt-\S+ cannot be used: its weights hold numbers that are not finite, NaN or infinite, in model\.decoder\.layers\.0\.fc2\.bias \(1 infinite of 16 numbers\), model\.decoder\.layers\.1\.fc1\.weight \(2 NaN and 1 infinite of 512 numbers\); get a sound checkpoint\.$/,
  );
});

test("a row of the embedding that is not finite is named at the step that first reads it", async () => {
  const cast = 10; // a word of a third of the rows
  const places = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [cast * 16 + i, Number.NaN]));
  const model = await loadModel(modelWith({ "embed_tokens.weight": places }));
  const taken: number[] = [];
  const record = { start: () => {}, score: () => {}, step: ({ step }: { step: number }) => void taken.push(step) };
  const run = tune(model, task, mezo({ lr: 1e-9 }), { steps: 60, batchSize: 1, seed: 2, record });
  await expect(run).rejects.toThrow(/in model\.decoder\.embed_tokens\.weight \(16 NaN of 304 numbers\); get/);
  expect(taken.length).toBeGreaterThan(0);
  model.dispose();
});

describe("a model whose weights are finite", () => {
  test("is told of an eps that is too large at the first step, of the learning rate after it", async () => {
    await expect(tune(sound, task, mezo({ lr: 1e-3, eps: 1e30 }), steps)).rejects.toThrow(
      /MeZO stopped at step 0: .*; try a smaller eps, or another model\.$/,
    );
    await expect(tune(sound, task, mezo({ lr: 1e30 }), steps)).rejects.toThrow(
      /MeZO stopped at step [1-3]: .*; try a learning rate ten times smaller/,
    );
  });

  test("is told that its numbers grow too large where they do", async () => {
    const large = modelWith({
      "layers.1.fc1.weight": { 0: 3e38, 1: 3e38, 2: -3e38 },
      "layers.1.fc2.weight": { 0: 3e38 },
    });
    const model = await loadModel(large);
    await expect(evaluate(model, task)).rejects.toThrow(
      /though all its weights are: they grow beyond what float32 holds/,
    );
    model.dispose();
  });
});
