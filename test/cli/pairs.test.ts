import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeRequest } from "../../src/measure/makeRequest.ts";
import { findMethod, methodNames } from "../../src/measure/methods.ts";
import { loadModel } from "../../src/models/load.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import { tasks } from "../../src/tasks/index.ts";
import { loadTask } from "../../src/tasks/load.ts";

const request = makeRequest({ smoke: true, steps: 1, shots: 1, batchSize: 2 });
const record = { start: () => {}, step: () => {}, score: () => {} };

/** Methods that stand for the rest here: each way to score, to train and to adapt once. */
const METHODS = ["Majority", "Zero-shot", "ICL", "LP", "FT (LoRA)", "MeZO (prefix)"];

describe.each(["opt-reviews", "roberta-reviews"])("the bundled %s", (id) => {
  const kind = id === "opt-reviews" ? "autoregressive" : "masked";
  const own = tasks.filter((task) => task[kind]);
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel(id);
  });
  afterAll(() => model.dispose());

  test(`has the paper's ${kind} tasks`, () => {
    expect(own).toHaveLength(kind === "masked" ? 6 : 11);
    expect(methodNames).toEqual(expect.arrayContaining(METHODS));
  });

  test.each(own)("scores $name by every method, or says why not", async (definition) => {
    const task = await loadTask(definition, { data: "samples", train: 6, dev: 1, test: 2, seed: 1 });
    for (const { name: method, reasonAgainst, run: runMethod } of METHODS.map((name) => findMethod(name)!)) {
      const reason = reasonAgainst?.(definition, kind);
      if (reason !== undefined) {
        expect(reason).toMatch(/the paper learns in context with|answers are texts/);
        continue;
      }
      const setup = { model: async () => model, task, seed: 1, request, onProgress: () => {}, record };
      const run = await runMethod(setup);
      expect(run.header).toMatchObject({ task: definition.name, method, metric: definition.metric });
      expect(run.scores.at(-1)).toMatchObject({ on: "test", n: task.test.length });
      for (const { score, loss = 0 } of run.scores) {
        expect(score >= 0 && score <= 1).toBe(true);
        expect(Number.isFinite(loss)).toBe(true);
      }
    }
  });
});
