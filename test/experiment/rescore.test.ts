import { expect, test } from "vitest";
import { lora } from "../../src/adapters/lora.ts";
import { rescore } from "../../src/experiment/rescore.ts";
import { tune } from "../../src/experiment/tune.ts";
import { loadModel } from "../../src/index.ts";
import { hashTheta } from "../../src/record/observe.ts";
import type { ChooseBy } from "../../src/record/run.ts";
import { cut } from "../../src/record/steps.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { adam } from "../../src/tuners/adam.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { mezoMomentum } from "../../src/tuners/rules.ts";
import { tinyData, tinyModel } from "../tiny.ts";

const folder = tinyModel();
const data = tinyData();
const task = await loadTask("SST-2", { data, train: 24, dev: 12, test: 12, seed: 1 });
const zeroth = { lr: 1e-2, eps: 1e-2 };
const base = { steps: 9, batchSize: 4, evaluateEvery: 9, seed: 5 };
const often: { evaluateEvery: number; chooseBy: ChooseBy } = { evaluateEvery: 2, chooseBy: "score" };

test.each([
  ["MeZO", mezo(zeroth), {}],
  ["a tuner with a state", mezoMomentum(zeroth), {}],
  ["LoRA", mezo(zeroth), { adapter: lora({ rank: 2 }) }],
])("a run of %s scored again at other steps is the run that was scored there", async (_name, tuner, options) => {
  const model = await loadModel(folder);
  const run = await tune(model, task, tuner, { ...base, ...options });
  const expected = await tune(model, task, tuner, { ...base, ...options, ...often });
  const lines: unknown[] = [];
  const record = {
    start: (header: unknown) => void lines.push(header),
    step: (step: unknown) => void lines.push(step),
    score: (score: unknown) => void lines.push(score),
  };
  const found = await rescore(model, task, JSON.parse(JSON.stringify(run)), { ...often, record });
  expect(found).toEqual({ ...expected, cost: run.cost });
  expect(found.scores.filter(({ on }) => on === "dev").map(({ step }) => step)).toEqual([2, 4, 6, 8, 9]);
  expect(lines).toHaveLength(1 + 9 + expected.scores.length);
  model.dispose();
});

test("a fork is scored again over its own steps", async () => {
  const model = await loadModel(folder);
  const first = await tune(model, task, mezo(zeroth), { ...base, steps: 4 });
  const fork = { ...base, from: cut(first, 3), steps: 8 };
  const run = await tune(model, task, mezo({ ...zeroth, lr: 2e-2 }), fork);
  const expected = await tune(model, task, mezo({ ...zeroth, lr: 2e-2 }), { ...fork, ...often });
  expect(await rescore(model, task, run, often)).toEqual({ ...expected, cost: run.cost });
  model.dispose();
});

test("other rows, an edited run and steps that no file tells are refused, and the weights are the base's afterwards", async () => {
  const model = await loadModel(folder);
  const hash = (): Promise<string> => hashTheta(model.parameters);
  const untouched = await hash();
  const run = await tune(model, task, mezo(zeroth), base);
  const fewer = await loadTask("SST-2", { data, train: 20, dev: 12, test: 12, seed: 1 });
  await expect(rescore(model, fewer, run)).rejects.toThrow(/its rows are of .* \(24, 12, 12\).*\(20, 12, 12\)/);
  const edited = { ...run, steps: run.steps.with(3, { ...run.steps[3]!, losses: [0.1, 0.2], projectedGrad: -5 }) };
  await expect(rescore(model, task, edited)).rejects.toThrow(/was edited/);
  const ft = await tune(model, task, adam({ lr: 1e-3 }), { ...base, steps: 2, evaluateEvery: 2 });
  await expect(rescore(model, task, ft)).rejects.toThrow(/need gradients/);
  await expect(rescore(model, task, run, { evaluateEvery: 0 })).rejects.toThrow(/whole number from 1 on/);
  expect(await hash()).toBe(untouched);
  model.dispose();
});
