import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { classifier } from "../../src/adapters/classifier.ts";
import { lora } from "../../src/adapters/lora.ts";
import { prefix } from "../../src/adapters/prefix.ts";
import { replay } from "../../src/experiment/replay.ts";
import { tune } from "../../src/experiment/tune.ts";
import type { TuneOptions } from "../../src/experiment/tuneOptions.ts";
import { type LanguageModel, loadModel, useBackend } from "../../src/index.ts";
import { forwardGradient } from "../../src/lab/forwardGradient.ts";
import { leanAdam, leanMomentum } from "../../src/lab/lean.ts";
import { mezoConservative, mezoLayers, mezoSign } from "../../src/lab/variants.ts";
import { f1 } from "../../src/loss/score.ts";
import { diff } from "../../src/record/diff.ts";
import { readRun } from "../../src/record/read.ts";
import type { Run, UnfinishedRun } from "../../src/record/run.ts";
import { bestStep, cut, stepsTaken, undo } from "../../src/record/steps.ts";
import { writeRun } from "../../src/record/write.ts";
import { loadTask } from "../../src/tasks/load.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { rademacher } from "../../src/tensor/parameter.ts";
import { adam, mezoAdam } from "../../src/tuners/adam.ts";
import { conMezo } from "../../src/tuners/cone.ts";
import { nSpsa, onePoint } from "../../src/tuners/estimates.ts";
import { evolutionStrategies, fzoo } from "../../src/tuners/fzoo.ts";
import { expectationModified, varianceModified } from "../../src/tuners/layers.ts";
import { lozo, lozoMomentum } from "../../src/tuners/lozo.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { mezoMomentum } from "../../src/tuners/rules.ts";
import { sparseMezo } from "../../src/tuners/sparse.ts";
import type { Tuner } from "../../src/tuners/tuner.ts";
import { BACKEND } from "../backend.ts";
import { tinyData, tinyModel, tinyTensors } from "../tiny.ts";
import { allValues } from "../values.ts";

const folder = tinyModel();
const task = await loadTask("SST-2", { data: tinyData(), train: 24, dev: 12, test: 12, seed: 1 });
const STEPS = 8;
const base = { steps: STEPS, batchSize: 4, evaluateEvery: 3, seed: 5 };

const valuesOf = (theta: readonly Parameter[]): Promise<Float32Array[]> => allValues(theta.map(({ value }) => value));

/** A run with the weights that it ended with. */
async function trainedWith(
  model: LanguageModel,
  tuner: Tuner,
  options: Partial<TuneOptions> = {},
): Promise<{ run: Run; theta: Float32Array[] }> {
  let theta: Float32Array[] | undefined;
  const run = await tune(model, task, tuner, {
    ...base,
    ...options,
    keepWeights: true,
    onAdapted: async ({ parameters }) => {
      theta = await valuesOf(parameters);
    },
  });
  theta ??= await valuesOf(model.parameters);
  model.restore();
  return { run, theta };
}

/** The weights of a run recomputed from what a file would hold of it. */
async function replayed(model: LanguageModel, run: UnfinishedRun, step?: number): Promise<Float32Array[]> {
  const again = await replay(model, JSON.parse(JSON.stringify(run)), step === undefined ? {} : { step });
  expect(again.checked).toBe(true);
  const values = await valuesOf(again.adapted?.parameters ?? model.parameters);
  again.dispose();
  return values;
}

const zeroth = { lr: 1e-3, eps: 1e-2 };
const exactNorms = varianceModified({ ...zeroth, scaledBy: "exact gradient norm", every: 3 });
const TUNERS: [string, Tuner][] = [
  ["MeZO", mezo({ ...zeroth, schedule: "linear", weightDecay: 0.1 })],
  ["MeZO with signs", mezo({ ...zeroth, noise: rademacher })],
  ["n-SPSA with a growing n", nSpsa({ ...zeroth, n: 3, samples: "linear" })],
  ["the one-point estimate", onePoint(zeroth)],
  ["FZOO", fzoo({ ...zeroth, n: 3 })],
  ["LOZO", lozo({ lr: 1e-3, eps: 1e-3, interval: 3 })],
  ["LOZO-momentum", lozoMomentum({ lr: 1e-3, eps: 1e-3, interval: 3 })],
  ["evolution strategies", evolutionStrategies({ ...zeroth, n: 3 })],
  ["the variance-modified estimate", varianceModified({ ...zeroth, scaledBy: "gradient norm", every: 3 })],
  ["the variance-modified estimate by exact norms", exactNorms],
  ["the expectation-modified estimate", expectationModified({ ...zeroth, scaledBy: "parameter norm", every: 3 })],
  ["MeZO-momentum", mezoMomentum({ ...zeroth, weightDecay: 0.1 })],
  ["MeZO-Adam", mezoAdam({ ...zeroth, weightDecay: 0.1 })],
  ["Sparse-MeZO", sparseMezo({ ...zeroth, weightDecay: 0.1 })],
  ["n-SPSA of a share with signs", nSpsa({ ...zeroth, n: 3, share: 0.5, noise: rademacher })],
  ["momentum of a share", mezoMomentum({ ...zeroth, share: 0.5 })],
  ["ConMeZO", conMezo({ ...zeroth, warmUp: 5, weightDecay: 0.1 })],
  ["momentum made of the past", leanMomentum({ ...zeroth, history: 5 })],
  ["Adam made of the past", leanAdam({ ...zeroth, history: 5 })],
  ["MeZO by layers", mezoLayers({ ...zeroth, groups: "cycle" })],
  ["sign MeZO", mezoSign(zeroth)],
  ["conservative MeZO", mezoConservative({ ...zeroth, lr: 1e-2 })],
  ["the forward gradient", forwardGradient({ lr: 1e-3 })],
];

describe("a run's weights are recomputed from its numbers, to the bit,", () => {
  test.each(TUNERS)("of %s", async (_name, tuner) => {
    const model = await loadModel(folder);
    const untouched = await valuesOf(model.parameters);
    const { run, theta } = await trainedWith(model, tuner);
    expect(theta).not.toEqual(untouched);
    expect(await replayed(model, run)).toEqual(theta);
    const file = join(mkdtempSync(join(tmpdir(), "replay-")), "run.jsonl");
    writeRun(file, run); // estimates lose what float32 does not hold
    expect(await replayed(model, readRun(file))).toEqual(theta);
    expect(await valuesOf(model.parameters)).toEqual(untouched);
    model.dispose();
  });

  test.each([
    ["LoRA", lora({ rank: 2 })],
    ["a prefix", prefix({ length: 2 })],
  ])("of %s", async (_name, adapter) => {
    const model = await loadModel(folder);
    const { run, theta } = await trainedWith(model, mezo({ lr: 1e-2, eps: 1e-2 }), { adapter });
    expect(await replayed(model, run)).toEqual(theta);
    model.dispose();
  });

  test("of a classifier and all weights below it, which are brought back afterwards", async () => {
    const model = await loadModel(folder);
    const untouched = await valuesOf(model.parameters);
    const { run, theta } = await trainedWith(model, mezo({ lr: 1e-2, eps: 1e-2 }), { adapter: classifier() });
    const [head, bias] = theta.slice(-2);
    expect([head!.length, bias!.length]).toEqual([2 * 16, 2]);
    expect(theta.length).toBe(model.parameters.length + 2);
    theta.slice(0, -2).forEach((values, i) => expect(values).not.toEqual(untouched[i]));
    expect(await replayed(model, run)).toEqual(theta);
    expect(await valuesOf(model.parameters)).toEqual(untouched);
    const turned = run.steps.map((step) => ({ ...step, losses: step.losses.toReversed() }));
    await expect(replay(model, { ...run, steps: turned })).rejects.toThrow(/do not follow from each other/);
    expect(await valuesOf(model.parameters)).toEqual(untouched);
    await trainedWith(model, adam({ lr: 1e-3 }), { adapter: classifier(), steps: 1 });
    expect(await valuesOf(model.parameters)).toEqual(untouched);
    model.dispose();
  });

  test("of exact norms, which stand in the run and cannot be changed there", async () => {
    const model = await loadModel(folder);
    const { run } = await trainedWith(model, exactNorms);
    expect(run.steps.map(({ losses }) => losses.length)).toEqual([6, 2, 2, 6, 2, 2, 6, 2]); // 4 groups and both sides
    const [first, ...others] = run.steps;
    const steps = [{ ...first!, losses: [2 * first!.losses[0]!, ...first!.losses.slice(1)] }, ...others];
    await expect(replay(model, { ...run, steps })).rejects.toThrow(/the run was edited/);
    model.dispose();
  });

  test("of an objective for which the weights are moved there and back", async () => {
    const model = await loadModel(folder);
    const { run, theta } = await trainedWith(model, mezo({ lr: 1e-2, eps: 1e-2 }), { maximize: f1 });
    expect(run.header.passes).toBe("sweeps");
    expect(await replayed(model, run)).toEqual(theta);
    model.dispose();
  });

  test("of one side at a time, with theta as it is; and of a run that moved it there and back for that", async () => {
    const model = await loadModel(folder);
    const tuner = fzoo({ ...zeroth, n: 3 });
    const { run, theta } = await trainedWith(model, tuner);
    expect(run.header.passes).toBe("side");
    const { passes: _, ...former } = tuner;
    const begin: Tuner["begin"] = (...given) => {
      const { step, dispose } = tuner.begin(...given);
      return { step: ({ side: _, ...objective }, at) => step(objective, at), dispose };
    };
    const moved = await trainedWith(model, { ...former, begin });
    expect(moved.run.header.passes).toBe("pair");
    expect(moved.theta).not.toEqual(theta);
    moved.theta.forEach((values, i) => values.forEach((v, j) => expect(v).toBeCloseTo(theta[i]![j]!, 2)));
    expect(await replayed(model, moved.run)).toEqual(moved.theta);
    model.dispose();
  });

  test("of weights kept in 16 bits and rounded stochastically", async () => {
    const model = await loadModel(folder, { weights: "bfloat16" });
    const { run, theta } = await trainedWith(model, mezo({ lr: 1e-2, eps: 1e-2 }));
    expect(await replayed(model, run)).toEqual(theta);
    model.dispose();
  });
});

describe(`a run of the ${BACKEND} backend`, () => {
  test.each(["cpu", "wasm"] as const)("gives the same weights on the %s backend, to the bit", async (backend) => {
    const model = await loadModel(folder);
    const { run, theta } = await trainedWith(model, mezo({ lr: 1e-2, eps: 1e-2, weightDecay: 0.1 }));
    model.dispose();
    await useBackend(backend);
    const there = await loadModel(folder);
    try {
      expect(await replayed(there, run)).toEqual(theta);
    } finally {
      there.dispose();
      await useBackend(BACKEND);
    }
  });

  test("gives weights as near as 16 bits can hold where the model is kept so", async () => {
    const model = await loadModel(folder);
    const { run, theta } = await trainedWith(model, mezo({ lr: 1e-2, eps: 1e-2 }));
    model.dispose();
    const half = await loadModel(folder, { weights: "float16", rounding: "nearest" });
    const again = await replay(half, run);
    expect(again.checked).toBe(false);
    (await valuesOf(half.parameters)).forEach((values, i) => {
      for (const [j, value] of values.entries())
        expect(Math.abs(value - theta[i]![j]!)).toBeLessThanOrEqual(
          (STEPS + 1) * 2 ** -11 * Math.max(1, Math.abs(value)),
        );
    });
    again.dispose();
    half.dispose();
  });
});

describe("a run that was cut short", () => {
  test.each(TUNERS)("by %s ends as if it had not been, wherever it was cut", async (_name, tuner) => {
    const model = await loadModel(folder);
    const { run, theta } = await trainedWith(model, tuner);
    for (const step of [0, 3, 5, STEPS]) {
      const part = cut(run, step);
      const lacking = { ...part, scores: part.scores.filter((score) => score.step < step) };
      for (const resume of [part, lacking]) {
        const again = await trainedWith(model, tuner, { resume });
        expect(again.theta).toEqual(theta);
        expect([again.run.steps, again.run.scores]).toEqual([run.steps, run.scores]);
      }
    }
    model.dispose();
  });

  test("is resumed with its own settings alone", async () => {
    const model = await loadModel(folder);
    const { run } = await trainedWith(model, mezo(zeroth));
    const resume = cut(run, 4);
    await expect(tune(model, task, mezo(zeroth), { ...base, batchSize: 8, resume })).rejects.toThrow(
      /to be resumed, but settings.batchSize is 4 in one and 8 in the other/,
    );
    await expect(tune(model, task, mezo({ ...zeroth, lr: 2e-3 }), { ...base, resume })).rejects.toThrow(/options.lr/);
    model.dispose();
  });
});

describe("without any checkpoint", () => {
  test("earlier weights come back: those after fewer steps, without the last ones, of the lowest dev loss", async () => {
    const model = await loadModel(folder);
    const { run } = await trainedWith(model, mezo(zeroth));
    const short = await trainedWith(model, mezo(zeroth), { steps: 6 });
    expect(await replayed(model, run, 6)).toEqual(short.theta);
    expect(await replayed(model, undo(run, 2))).toEqual(short.theta);
    const untouched = await replay(model, run, { step: 0 });
    expect(untouched.checked).toBe(false);
    untouched.dispose();
    const losses = run.scores.filter(({ on }) => on === "dev").map(({ loss }) => loss);
    expect(run.scores.find(({ step }) => step === bestStep(run))!.loss).toBe(Math.min(...(losses as number[])));
    const best = await trainedWith(model, mezo(zeroth), { steps: bestStep(run) });
    expect(await replayed(model, run, bestStep(run))).toEqual(best.theta);
    model.dispose();
  });

  test("a fork with the same settings is the run itself, and one with others has their steps after the common ones", async () => {
    const model = await loadModel(folder);
    const { run, theta } = await trainedWith(model, mezo(zeroth));
    const same = await trainedWith(model, mezo(zeroth), { from: cut(run, 4) });
    expect(same.theta).toEqual(theta);
    expect(stepsTaken(same.run)).toBe(STEPS);
    const other = await trainedWith(model, mezo({ ...zeroth, lr: 5e-3 }), { from: cut(run, 4), seed: 6, steps: 10 });
    expect(other.theta).not.toEqual(theta);
    expect(await replayed(model, other.run)).toEqual(other.theta);
    expect(other.run.steps.map(({ step }) => step)).toEqual([4, 5, 6, 7, 8, 9]);
    const again = await trainedWith(model, mezo({ ...zeroth, lr: 5e-3 }), {
      ...{ resume: cut(other.run, 6), seed: 6, steps: 10 },
    });
    expect(again.theta).toEqual(other.theta);
    model.dispose();
  });

  test("two runs are told where they part and why", async () => {
    const model = await loadModel(folder);
    const { run } = await trainedWith(model, mezo(zeroth));
    const { run: other } = await trainedWith(model, mezo(zeroth), { seed: 6 });
    expect(diff(run, run)).toBeUndefined();
    expect(diff(run, other)).toEqual({ step: 0, what: "seed", one: 5, other: 6 });
    expect(diff(run, cut(run, 5))).toEqual({ step: 5, what: "steps", one: 8, other: 5 });
    const { run: fork } = await trainedWith(model, mezo({ ...zeroth, lr: 5e-3 }), { from: cut(run, 4) });
    expect(diff(run, fork)).toMatchObject({ step: 4, what: "fork" });
    const changed = run.steps.map((step, i) => (i === 3 ? { ...step, losses: [1, 2] } : step));
    expect(diff(run, { ...run, steps: changed })).toMatchObject({ step: 3, what: "losses", other: [1, 2] });
    model.dispose();
  });
});

describe("a run is refused with the reason", () => {
  test("on another base model", async () => {
    const model = await loadModel(folder);
    const { run } = await trainedWith(model, mezo(zeroth));
    const tensors = tinyTensors();
    tensors[0]!.data[0]! += 1;
    const other = await loadModel(tinyModel({ tensors }));
    await expect(replay(other, run)).rejects.toThrow(/was made from tiny-opt-\S+ with the weights [0-9a-f]{16}, but/);
    model.dispose();
    other.dispose();
  });

  test("where a number was changed, and leaves the base weights", async () => {
    const model = await loadModel(folder);
    const before = await valuesOf(model.parameters);
    const { run } = await trainedWith(model, mezo(zeroth));
    const [first, ...rest] = run.steps;
    const [lossPlus, lossMinus] = first!.losses as [number, number];
    const edited = { ...first!, losses: [lossPlus + 0.01, lossMinus] };
    await expect(replay(model, { ...run, steps: [edited, ...rest] })).rejects.toThrow(/Step 0 .* the run was edited/);
    const both = { ...edited, projectedGrad: Math.fround((lossPlus + 0.01 - lossMinus) / 0.02) };
    await expect(replay(model, { ...run, steps: [both, ...rest] })).rejects.toThrow(/are [0-9a-f]{16} instead of/);
    expect(await valuesOf(model.parameters)).toEqual(before);
    model.dispose();
  });

  test("where its steps need gradients, as FT's", async () => {
    const model = await loadModel(folder);
    const { run } = await trainedWith(model, adam({ lr: 1e-3 }));
    await expect(replay(model, run)).rejects.toThrow(/steps of FT .* need gradients/);
    model.dispose();
  });
});
