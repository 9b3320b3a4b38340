import { afterEach, expect, test } from "vitest";
import { type RowChoice, viewRow } from "../../src/lab/rowView.ts";
import type { Example, Task } from "../../src/tasks/task.ts";
import { MASK } from "../../src/text/maskedPrompt.ts";
import { type ScriptedModel, type ScriptedOptions, scriptedModel } from "../scripted.ts";

// A scripted model gives known probabilities, so that every number is worked out by hand.
const models: ScriptedModel[] = [];
afterEach(() => models.splice(0).forEach((model) => model.dispose()));

function scripted(options: ScriptedOptions = {}): ScriptedModel {
  const script = { good: { yes: 0.6, no: 0.2 }, bad: { no: 0.4, yes: 0.1 }, no: { way: 0.95 }, yes: { "\n": 0.9 } };
  const model = scriptedModel("it was good bad yes no way", script, options);
  models.push(model);
  return model;
}

const asked = (word: string, ...gold: number[]): Example => ({
  autoregressive: { prompt: `it was ${word}`, options: [" yes", " no way"] },
  gold,
});

const taskOf = (test: Example[], rest: Partial<Task> = {}): Task => ({
  ...{ name: "scripted", metric: "accuracy", loss: "candidates", data: { files: ["scripted"], sha256: "0" } },
  ...{ train: [asked("bad", 1)], dev: test, test, ...rest },
});

const choice: RowChoice = { part: "test", row: 1, shots: 0, seed: 0, begin: "mezo" };

test("a row has every token with its id, and each option's log-probabilities, mean and mark", async () => {
  const view = await viewRow(scripted(), taskOf([asked("bad", 1), asked("good", 1)]), { ...choice, row: 2 });
  expect(view.rows).toBe(2);
  expect(view.prompt.map(({ text }) => text)).toEqual(["<s>", "it", "was", "good"]);
  expect(view.prompt.map(({ id }) => id)).toEqual([0, 5, 6, 7]);
  expect(view.options).toEqual([
    {
      text: " yes",
      tokens: [{ id: 9, text: "yes", position: 4, logProb: expect.closeTo(Math.log(0.6), 5) }],
      mean: expect.closeTo(Math.log(0.6), 5),
      isGold: false,
    },
    {
      text: " no way",
      tokens: [
        { id: 10, text: "no", position: 4, logProb: expect.closeTo(Math.log(0.2), 5) },
        { id: 11, text: "way", position: 5, logProb: expect.closeTo(Math.log(0.95), 5) },
      ],
      mean: expect.closeTo(Math.log(0.2 * 0.95) / 2, 5),
      isGold: true,
    },
  ]);
  expect(view.chosen).toBe(0);
});

test("a masked model's options stand in the place of the mask, with their log-probabilities over the whole vocabulary", async () => {
  const parts = [{ text: "good it was" }, MASK] as const;
  const options = [" yes", " no"];
  const task = taskOf([{ masked: { prompt: { parts, maxLength: 20 }, options }, gold: [1] }]);
  const view = await viewRow(scripted({ masked: true }), task, choice);
  expect(view.prompt.map(({ text }) => text)).toEqual(["<s>", "good", "it", "was", "<mask>", "</s>"]);
  expect(view).toMatchObject({ mask: 4, chosen: 0 });
  expect(view.options.map(({ mean }) => mean)).toEqual([
    expect.closeTo(Math.log(0.6), 5),
    expect.closeTo(Math.log(0.2), 5),
  ]);
});

test("demonstrations stand before the row, and another begin token where it is asked for", async () => {
  const view = await viewRow(scripted(), taskOf([asked("good", 0)]), { ...choice, shots: 1, begin: "config" });
  expect(view.prompt.map(({ text }) => text).join(" ")).toBe("<bos> it was bad no way \n \n it was good");
});

test("where answers are written out, the answer is there instead of a choice", async () => {
  const task = taskOf([asked("good", 0)], { metric: "F1", loss: "answer" });
  const view = await viewRow(scripted(), task, choice);
  expect(view.answer).toBe("yes");
  expect(view.chosen).toBeUndefined();
});

test("a row that is not there is refused with how many there are", async () => {
  await expect(viewRow(scripted(), taskOf([asked("good", 0)]), { ...choice, row: 2 })).rejects.toThrow(
    "Row 2 of the test part of scripted was asked for, which has 1: choose one from 1 to 1.",
  );
});
