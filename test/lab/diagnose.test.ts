import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { lora } from "../../src/adapters/lora.ts";
import { prefix } from "../../src/adapters/prefix.ts";
import { loadModel } from "../../src/index.ts";
import {
  computeBestRate,
  type Diagnosis,
  diagnose,
  suggestBatch,
  suggestEps,
  suggestRate,
} from "../../src/lab/diagnose.ts";
import { findPlateau, makeSlopeAt, measureCurvature, measureSweep, SWEPT } from "../../src/lab/plateau.ts";
import { diagnosisText, plotPlateau } from "../../src/lab/report.ts";
import { countSwallowed } from "../../src/lab/rounding.ts";
import { computeSignal } from "../../src/lab/signal.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { type Draw, gaussian } from "../../src/tensor/parameter.ts";
import type { Objective } from "../../src/tuners/tuner.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { valuesOf, weights, zOf } from "../tuners/weights.ts";
import { allValues } from "../values.ts";

const draws: Draw[] = [0, 1, 2].map((step) => ({ seed: 1, step }));

/** A loss of weights in double precision, of the sum of squares of theta and a cube. */
function loss(theta: ReturnType<typeof weights>, of: (values: readonly number[]) => number): Objective {
  return { value: async () => of(await valuesOf(theta)) };
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

describe("what is measured", () => {
  test("is g's plateau: all eps for a slope that is the same everywhere, only small ones where the loss is curved", async () => {
    const theta = weights({ a: 40 });
    const at = makeSlopeAt(theta, gaussian, () => {});
    const bent = loss(theta, (values) => sum(values.map((v) => v + 30 * v ** 3)));
    const plateau = findPlateau(await measureSweep(at, bent, draws))!;
    expect(plateau.to).toBeLessThan(0.5);
    expect(plateau.to).toBeGreaterThan(1e-3);
    const straight = { eps: SWEPT, slopes: draws.map((_, i) => SWEPT.map(() => i + 1)) };
    expect(findPlateau(straight)).toEqual({ from: 1e-6, to: 1 });
    const nowhere = { eps: SWEPT, slopes: draws.map(() => SWEPT.map((_, i) => (-2) ** i)) };
    expect(findPlateau(nowhere)).toBeUndefined();
  });

  test("is the curvature along z: z'Hz, 2 z'z for a sum of squares", async () => {
    const theta = weights({ a: 40 });
    const square = loss(theta, (values) => sum(values.map((v) => v * v)));
    const at = makeSlopeAt(theta, gaussian, () => {});
    const { mean } = await measureCurvature(at, square, { loss: Number(await square.value()), eps: 0.1 }, draws);
    const zs = await Promise.all(draws.map((z) => zOf(theta, gaussian, z)));
    const expected = sum(zs.map((z) => 2 * sum(z.map((v) => v * v)))) / draws.length;
    expect(mean / expected).toBeCloseTo(1, 3);
  });

  test("is the share of weights that a step leaves unchanged, in each format", async () => {
    const theta = [{ name: "a", value: tf.randomUniform([50, 100], -1, 1, "float32", 5) }];
    const before = Float32Array.from(await valuesOf(theta));
    const scale = 1e-7;
    const z = await zOf(theta, gaussian, draws[0]!);
    const found = await countSwallowed(theta, gaussian, scale, draws[0]!);
    const same = before.filter((value, i) => Math.fround(value + Math.fround(Math.fround(scale) * z[i]!)) === value);
    expect(found.of).toBe(5000);
    expect(Math.abs(found.float32 - same.length)).toBeLessThan(10);
    expect(found.float32).toBeLessThan(found.float16);
    expect(found.float16).toBeLessThanOrEqual(found.bfloat16);
    expect(Float32Array.from(await valuesOf(theta))).toEqual(before);
    tf.dispose(theta.map(({ value }) => value));
  });

  test("is the signal that halves of batches have in common", () => {
    const half = (): { objective: Objective; share: number; examples: number } => ({
      ...{ objective: { value: () => 0 }, share: 0.5, examples: 8 },
    });
    const batches = [
      [half(), half()],
      [half(), half()],
    ];
    const clear = computeSignal(
      [
        [
          [2, 2],
          [2, 2],
        ],
        [
          [-3, -3],
          [-3, -3],
        ],
      ],
      batches,
    );
    expect(clear).toMatchObject({
      ratio: Number.POSITIVE_INFINITY,
      evenBatch: 0,
      agreement: { same: 4, of: 4 },
      meanSize: 2.5,
    });
    const chance = computeSignal(
      [
        [
          [1, -1],
          [-1, 1],
        ],
      ],
      batches,
    );
    expect(chance).toMatchObject({ ratio: 0, evenBatch: Number.POSITIVE_INFINITY, agreement: { same: 0, of: 2 } });
  });
});

describe("what is suggested", () => {
  const signal = { draws: 8, batches: 4, meanSize: 1, overDraws: 1, overBatches: 1, ratio: 1 };

  test("is eps on the plateau, a batch whose signal outweighs chance, a tenth of the rate of the lowest loss after a step", () => {
    expect(suggestEps(1e-3, { from: 1e-5, to: 1e-2 })).toBe(1e-3);
    expect(suggestEps(1, { from: 1e-4, to: 1e-2 })).toBe(3e-3);
    expect(suggestEps(1e-6, { from: 1e-4, to: 1e-2 })).toBe(3e-4);
    expect(suggestEps(1, { from: 1e-4, to: 4e-4 })).toBe(2e-4);
    expect(suggestEps(1, undefined)).toBe(1);
    expect(suggestBatch(16, { ...signal, evenBatch: 10 }, 1000)).toBe(16);
    expect(suggestBatch(16, { ...signal, evenBatch: 20 }, 1000)).toBe(32);
    expect(suggestBatch(16, { ...signal, evenBatch: 1e9 }, 1000)).toBe(64);
    const even = { ...signal, evenBatch: 16 };
    expect(computeBestRate(16, even, { eps: 1, mean: 50, standardError: 0 })).toBeCloseTo(0.01, 12);
    expect(computeBestRate(16, even, { eps: 1, mean: 50, standardError: 25 })).toBeCloseTo(0.005, 12);
    expect(computeBestRate(16, even, { eps: 1, mean: -50, standardError: 1 })).toBeUndefined();
    expect(
      computeBestRate(16, { ...signal, evenBatch: Number.POSITIVE_INFINITY }, { eps: 1, mean: 1, standardError: 0 }),
    ).toBeUndefined();
    expect([suggestRate(0.0123), suggestRate(undefined)]).toEqual([0.001, undefined]);
  });
});

describe("a diagnosis", async () => {
  const folder = tinyModel();
  const task = await loadTask("SST-2", { data: tinyData(), train: 64, dev: 24, test: 8, seed: 1 });

  test.each([
    ["all weights", undefined],
    ["LoRA", lora({ rank: 2 })],
    ["a prefix", prefix({ length: 2 })],
  ])(
    "of %s says the same each time, in full sentences and a picture, and leaves the weights as they were",
    async (_what, adapter) => {
      const model = await loadModel(folder);
      const bits = (): Promise<Float32Array[]> => allValues(model.parameters.map(({ value }) => value));
      const before = await bits();
      let [done, all] = [0, 0];
      const options = { lr: 1e-3, eps: 1e-3, batchSize: 8, seed: 1, draws: 4, ...(adapter && { adapter }) };
      const found = await diagnose(model, task, {
        ...options,
        onProgress: (progress) => {
          [done, all] = [progress.done, progress.total];
        },
      });
      expect(await bits()).toEqual(before);
      expect([done, all]).toEqual([all, done]);
      expect(await diagnose(model, task, options)).toEqual(found);
      expect(found.method).toBe(adapter ? `MeZO (${adapter.name})` : "MeZO");
      for (const part of ["Prompt", "Eps", "Rounding", "Signal", "Halves", "Curvature", "Updates", "To begin with"])
        expect(diagnosisText(found)).toContain(part);
      expect(diagnosisText(found)).not.toMatch(/NaN|undefined|Infinity/);
      for (const paragraph of diagnosisText(found).split(/\n+(?=\S)/)) expect(paragraph).toMatch(/\.$/);
      expect((plotPlateau(found).data as unknown[]).length).toBeGreaterThanOrEqual(3);
      model.dispose();
    },
  );

  test("refuses unknown options and invalid values", async () => {
    const model = await loadModel(folder);
    const wrong: [object, RegExp][] = [
      [{ lr: 1e-3, rate: 1 }, /no option rate/],
      [{ lr: 0 }, /learning rate above 0/],
      [{ lr: 1e-3, eps: -1 }, /eps above 0/],
      [{ lr: 1e-3, draws: 2 }, /draws from 3 on/],
    ];
    for (const [options, message] of wrong)
      await expect(diagnose(model, task, options as { lr: number }) as Promise<Diagnosis>).rejects.toThrow(message);
    model.dispose();
  });
});
