import { describe, expect, test } from "vitest";
import { lora } from "../../src/adapters/lora.ts";
import { tune } from "../../src/experiment/tune.ts";
import { encodeBatch } from "../../src/loss/encode.ts";
import { computeLoss } from "../../src/loss/loss.ts";
import { type LoadOptions, loadModel } from "../../src/models/load.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { useBackend } from "../../src/tensor/backend.ts";
import { adam } from "../../src/tuners/adam.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { BACKEND } from "../backend.ts";
import { tinyData, tinyModel, tinyTensors } from "../tiny.ts";
import { allValues, setValues, valuesOf } from "../values.ts";

const folder = tinyModel();
const task = await loadTask("SST-2", { data: tinyData(), train: 24, dev: 12, test: 12, seed: 1 });

/** TensorFlow may round what meets a weight in a product to the weight's own 11 or 8 bits; the other backends widen the weight alone. */
const ROUNDING = { float16: 2 ** -11, bfloat16: 2 ** -8 } as const;

describe.each(["float16", "bfloat16"] as const)("a model kept in %s", (weights) => {
  test("computes in float32 with its rounded weights: the losses of a float32 model that holds the same numbers", async () => {
    const [half, full] = [await loadModel(folder, { weights }), await loadModel(folder)];
    for (const [i, { value }] of half.parameters.entries()) {
      expect(half.parameters[i]!.bytes).toBe(value.rank === 2 ? 2 : undefined);
      setValues(full.parameters[i]!.value, await valuesOf(value));
    }
    const batch = encodeBatch(half, task.train, "mezo");
    for (const loss of ["candidates", "answer"] as const) {
      const [found, wanted] = [await computeLoss(loss, half, batch), await computeLoss(loss, full, batch)];
      if (BACKEND === "tensorflow") expect(Math.abs(found - wanted)).toBeLessThan(ROUNDING[weights] * wanted);
      else expect(found).toBe(wanted);
    }
    half.dispose();
    full.dispose();
  });

  test("learns by MeZO with all its weights and with LoRA, by backpropagation with both, and goes back to its file's weights", async () => {
    const model = await loadModel(folder, { weights });
    const before = await allValues(model.parameters.map(({ value }) => value));
    const runs = [
      await tune(model, task, mezo({ lr: 5e-3 }), { steps: 60 }),
      await tune(model, task, mezo({ lr: 0.02 }), { steps: 60, adapter: lora({ rank: 2 }) }),
      await tune(model, task, adam({ lr: 1e-2 }), { steps: 10 }),
      await tune(model, task, adam({ lr: 1e-2 }), { steps: 10, adapter: lora({ rank: 2 }), checkpointing: true }),
    ];
    for (const { steps } of runs) {
      const mean = (some: typeof steps): number => some.reduce((sum, { losses }) => sum + losses[0]!, 0) / some.length;
      expect(mean(steps.slice(-5))).toBeLessThan(mean(steps.slice(0, 5)));
    }
    expect(await allValues(model.parameters.map(({ value }) => value))).toEqual(before);
    model.dispose();
  });
});

test("a small step is kept in the mean where rounding is stochastic, and mostly swallowed where it is to the nearest", async () => {
  const moved = async (options: LoadOptions): Promise<number[]> => {
    const model = await loadModel(folder, options);
    const matrices = model.parameters.filter(({ value }) => value.rank === 2).map(({ value }) => value);
    const before = await allValues(matrices);
    await tune(model, task, mezo({ lr: 1e-5 }), { steps: 1, keepWeights: true });
    const changes = (await allValues(matrices)).flatMap((now, i) => [...now.map((v, j) => v - before[i]![j]!)]);
    model.dispose();
    return changes;
  };
  const exact = await moved({});
  const share = (changes: readonly number[]): number => dot(changes, exact) / dot(exact, exact);
  const nearest = await moved({ weights: "bfloat16", rounding: "nearest" });
  expect(nearest.filter((change) => change !== 0).length).toBeLessThan(0.1 * exact.length);
  expect(share(nearest)).toBeLessThan(0.5);
  expect(share(await moved({ weights: "bfloat16", rounding: "stochastic" }))).toBeCloseTo(1, 0);
});

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

test.each([
  ["float16", 1e6],
  ["float16", Number.NaN],
  ["bfloat16", Number.NaN],
  ["bfloat16", Number.NEGATIVE_INFINITY],
] as const)("a matrix with a number that %s cannot hold is refused by its name: %s", async (weights, value) => {
  const tensors = tinyTensors();
  tensors.find(({ name }) => name.endsWith("layers.1.fc1.weight"))!.data[7] = value;
  await expect(loadModel(tinyModel({ tensors }), { weights })).rejects.toThrow(
    /The weight model\.decoder\.layers\.1\.fc1\.weight cannot be kept in b?float16, since 1 of its 512 numbers are NaN/,
  );
});

test("what cannot be kept is refused with what there is", async () => {
  await expect(loadModel(folder, { weights: "int8" as "float16" })).rejects.toThrow(
    /int8.*choose one of float32, float16, bfloat16/,
  );
  await useBackend("cpu");
  await expect(loadModel(folder, { weights: "float16" })).rejects.toThrow(
    /float16 were asked for, which the cpu backend does not keep: choose native, tensorflow or webgpu/,
  );
  await useBackend(BACKEND);
});
