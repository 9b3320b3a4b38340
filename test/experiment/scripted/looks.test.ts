import { describe, expect, test } from "vitest";
import { tune } from "../../../src/experiment/tune.ts";
import { bestStep, cut } from "../../../src/record/steps.ts";
import type { Example } from "../../../src/tasks/task.ts";
import { MASK } from "../../../src/text/maskedPrompt.ts";
import type { Tuner } from "../../../src/tuners/tuner.ts";
import type { Script, ScriptedModel } from "../../scripted.ts";
import { asked, close, SCRIPT, scripted, taskOf, YES_NO } from "./cases.ts";

const { log } = Math;

/** A tuner whose step leaves the model with the script of that number, whatever the loss. */
const follows = (model: ScriptedModel, scripts: readonly Script[]): Tuner => ({
  ...{ name: "scripted", options: {} },
  begin: () => ({
    step: async (objective, { step }) => {
      const loss = await objective.value();
      model.follow(scripts[step]!);
      return { lr: 0, loss };
    },
    dispose: () => {},
  }),
});

const setting = { batchSize: 4, seed: 1 };

describe("tune", () => {
  const good = (yes: number): Script => ({ good: { yes, no: 1 - yes }, bad: { yes: yes / 2, no: 1 - yes / 2 } });

  test("reports the test score of the lowest dev loss, of equal ones the earlier", async () => {
    const model = scripted(good(0.25));
    const task = taskOf([], { train: [asked("good", 0)], dev: [asked("good", 0)], test: [asked("bad", 1)] });
    const shares = [0.4, 0.5, 0.7, 0.8, 0.7, 0.6, 0.7, 0.9, 0.9, 0.9, 0.7];
    const run = await tune(model, task, follows(model, shares.map(good)), { ...setting, steps: 11, evaluateEvery: 2 });
    expect(run.steps.map(({ losses }) => losses)).toEqual([0.25, ...shares.slice(0, 10)].map((p) => [close(-log(p))]));
    const dev = (step: number, share: number): object => ({ on: "dev", step, loss: close(-log(share)) });
    const test = (step: number, share: number): object => ({ on: "test", step, loss: close(-log(1 - share / 2)) });
    expect(run.scores).toMatchObject([
      ...[dev(2, 0.5), test(2, 0.5), dev(4, 0.8), test(4, 0.8), dev(6, 0.6)],
      ...[dev(8, 0.9), test(8, 0.9), dev(10, 0.9), dev(11, 0.7)],
    ]);
    expect(bestStep(run)).toBe(8);
    expect(cut(run, 8).scores).toEqual(run.scores.slice(0, 7));
    expect(cut(run, 7).scores).toEqual(run.scores.slice(0, 5));
  });

  // Of each look the share of yes after "good", where it is right, and after "bad", where it is wrong.
  const SHARES: [number, number][] = [
    [0.4, 0.6], // none right
    [0.6, 0.9], // one, at a higher loss
    [0.9, 0.6], // one, at a lower loss
    [0.55, 0.45], // both, at a higher loss
    [0.99, 0.6], // one, at the lowest loss
  ];
  const filled = (word: string, gold: number): Example => ({
    masked: { prompt: { parts: [{ text: word }, MASK], maxLength: 20 }, options: YES_NO },
    gold: [gold],
  });

  test.each([
    ["the highest score, of equal ones the first", {}, [1, 2, 4]],
    ["the lowest loss where that is asked", { chooseBy: "loss" } as const, [1, 3, 5]],
  ])("chooses with masked models by %s", async (_what, options, best) => {
    const model = scripted(SCRIPT, { masked: true });
    const task = taskOf([filled("good", 0), filled("bad", 1)]);
    const scripts = SHARES.map(([yes, no]) => ({ good: { yes, no: 1 - yes }, bad: { yes: no, no: 1 - no } }));
    const run = await tune(model, task, follows(model, scripts), {
      ...setting,
      ...options,
      steps: 5,
      evaluateEvery: 1,
    });
    const [dev, test] = ["dev", "test"].map((on) => run.scores.filter((score) => score.on === on));
    expect(dev!.map(({ score }) => score)).toEqual([0, 1 / 2, 1 / 2, 1, 1 / 2]);
    expect(dev!.map(({ loss }) => loss)).toEqual(SHARES.map(([a, b]) => close(-(log(a) + log(1 - b)) / 2)));
    expect(test!.map(({ step }) => step)).toEqual(best);
    expect(bestStep(run)).toBe(best.at(-1));
  });

  test("looks ten times with masked models", async () => {
    const model = scripted(SCRIPT, { masked: true });
    const run = await tune(model, taskOf([filled("good", 0)]), follows(model, Array(20).fill(SCRIPT)), { steps: 20 });
    expect(run.scores.filter(({ on }) => on === "dev").map(({ step }) => step)).toEqual(
      Array.from({ length: 10 }, (_, i) => 2 * (i + 1)),
    );
  });

  test("begins at the base weights, by default with the paper's batch of 16 and five looks, and says on what", async () => {
    const model = scripted(good(0.25));
    model.follow(good(0.9));
    const task = taskOf([asked("good", 0)], { dev: [asked("good", 0), asked("bad", 1)] });
    const run = await tune(model, task, follows(model, Array(20).fill(good(0.5))), { steps: 20 });
    const facts = {
      task: "scripted",
      metric: "accuracy",
      prompts: "autoregressive",
      split: { train: 1, dev: 2, test: 1 },
    };
    expect(run.header).toMatchObject({ method: "scripted", seed: 0, ...facts });
    const settings = { steps: 20, batchSize: 16, evaluateEvery: 4, chooseBy: "loss", begin: "mezo" };
    expect(run.header.settings).toEqual(settings);
    expect(run.steps[0]!.losses).toEqual([close(-log(0.25))]);
    expect(run.scores.map(({ on, step }) => `${on} ${step}`)).toEqual([
      "dev 4",
      "test 4",
      "dev 8",
      "dev 12",
      "dev 16",
      "dev 20",
    ]);
  });

  test("tells of the mean loss of the last 50 steps, and of the last dev score", async () => {
    const model = scripted(good(0.9));
    const task = taskOf([asked("bad", 1)], { train: [asked("good", 0)], dev: [asked("bad", 1), asked("bad", 0)] });
    const told: (readonly [loss: string | undefined, dev: number | undefined])[] = [];
    await tune(model, task, follows(model, Array(60).fill(good(0.5))), {
      ...{ ...setting, steps: 60, evaluateEvery: 40 },
      onProgress: ({ label, part, loss, dev }) =>
        label === "scripted" && part === undefined && told.push([loss?.toFixed(3), dev]),
    });
    // The first step alone saw the first script.
    expect([told[0], told[39], told[40], told[59]]).toEqual([
      ["0.105", undefined],
      ["0.678", undefined],
      ["0.679", 0.5],
      ["0.693", 0.5],
    ]);
  });
});
