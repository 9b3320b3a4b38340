import { afterEach, expect } from "vitest";
import type { Example, Task } from "../../../src/tasks/task.ts";
import { type Script, type ScriptedModel, type ScriptedOptions, scriptedModel } from "../../scripted.ts";

// A scripted model gives known probabilities, so that every number in these tests is worked out by hand.

const WORDS = "a it was good bad odd yes no way red blue sky la";

/** After "good" yes to no is 3 to 1, after "bad" 1 to 4, after "odd" 3 to 1 again, but "no way" is likelier a token. */
export const SCRIPT: Script = {
  good: { yes: 0.6, no: 0.2 },
  bad: { yes: 0.1, no: 0.4 },
  odd: { yes: 0.3, no: 0.1 },
  no: { way: 0.95 },
};

const models: ScriptedModel[] = [];
afterEach(() => models.splice(0).forEach((model) => model.dispose()));

/** A model for this test. */
export function scripted(script: Script = SCRIPT, options: ScriptedOptions = {}): ScriptedModel {
  const model = scriptedModel(WORDS, script, options);
  models.push(model);
  return model;
}

/** An example of a text to continue, with its options and which of them are right. */
export const example = (prompt: string, options: readonly string[], ...gold: number[]): Example => ({
  autoregressive: { prompt, options },
  gold,
});

export const YES_NO: readonly string[] = [" yes", " no"];
/** Answers of one token and of two. */
export const LONG: readonly string[] = [" yes", " no way"];

/** "it was good", say, to be continued by yes or no. */
export const asked = (word: string, ...gold: number[]): Example => example(`it was ${word}`, YES_NO, ...gold);

/** A task whose parts are all its test part, but for what is given. */
export const taskOf = (test: Example[], rest: Partial<Task> = {}): Task => ({
  ...{ name: "scripted", metric: "accuracy", loss: "candidates", data: { files: ["scripted"], sha256: "0" } },
  ...{ train: test, dev: test, test },
  ...rest,
});

/** A number that float32 comes near. */
export const close = (value: number): unknown => expect.closeTo(value, 5);

/** What is generated: "red" after "good", "blue sky" after "bad", and "la la la …" after "odd". */
export const ANSWERS: Script = {
  good: { red: 0.5, blue: 0.3 },
  bad: { blue: 0.8 },
  odd: { la: 0.6, no: 0.1 },
  red: { "\n": 0.9 },
  blue: { sky: 0.7 },
  sky: { "</s>": 0.9 },
  la: { la: 0.9 },
  no: { way: 0.95 },
};
