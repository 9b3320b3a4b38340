import { expect, test } from "vitest";
import { tune } from "../../src/experiment/tune.ts";
import { loadModel } from "../../src/models/load.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { tinyData, tinyModel } from "../tiny.ts";

const data = tinyData();
const sizes = { data, train: 24, dev: 6, test: 6 };

test("a task under a split's seed has the rows of that seed, whatever the other is", async () => {
  const [plain, one, two] = await Promise.all([
    loadTask("SST-2", { ...sizes, seed: 7 }),
    loadTask("SST-2", { ...sizes, seed: 1, splitSeed: 7 }),
    loadTask("SST-2", { ...sizes, seed: 2, splitSeed: 7 }),
  ]);
  expect(one).toEqual({ ...plain, splitSeed: 7 });
  expect(two).toEqual(one);
});

test("runs of two seeds on it see the same batches and differ in z, and their headers say so", async () => {
  const model = await loadModel(tinyModel());
  // So small an eps that the losses are those of the batch.
  const run = async (seed: number, splitSeed?: number): ReturnType<typeof tune> => {
    const task = await loadTask("SST-2", { ...sizes, seed: 1, splitSeed });
    return tune(model, task, mezo({ lr: 1e-12, eps: 1e-5 }), { steps: 2, batchSize: 2, seed });
  };
  const [one, two, free] = [await run(1, 1), await run(2, 1), await run(2)];
  const losses = (of: typeof one): number[] => of.steps.map((step) => step.losses[0]!);
  const apart = (a: typeof one, b: typeof one): number[] => losses(a).map((loss, i) => Math.abs(loss - losses(b)[i]!));
  expect(Math.max(...apart(one, two))).toBeLessThan(1e-3);
  expect(Math.max(...apart(free, two))).toBeGreaterThan(1e-2);
  expect(two.steps[0]!.projectedGrad).not.toBe(one.steps[0]!.projectedGrad);
  expect(two.header).toMatchObject({ seed: 2, splitSeed: 1 });
  expect(free.header).not.toHaveProperty("splitSeed");
  model.dispose();
});
