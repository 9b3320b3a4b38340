import { expect, test } from "vitest";
import type { Adapted } from "../../../src/adapters/adapter.ts";
import { classifier } from "../../../src/adapters/classifier.ts";
import { tune } from "../../../src/experiment/tune.ts";
import { hashTheta } from "../../../src/record/observe.ts";
import type { Run } from "../../../src/record/run.ts";
import type { Example } from "../../../src/tasks/task.ts";
import { MASK, type MaskedPart } from "../../../src/text/maskedPrompt.ts";
import { mezo } from "../../../src/tuners/mezo.ts";
import { sgd } from "../../../src/tuners/sgd.ts";
import type { Tuner } from "../../../src/tuners/tuner.ts";
import type { ScriptedModel } from "../../scripted.ts";
import { valuesOf } from "../../values.ts";
import { asked, example, LONG, scripted, taskOf } from "./cases.ts";

/** So small a step moves nothing. */
const still = mezo({ lr: 1e-30, eps: 1e-6 });
const adapter = classifier({ classes: 2 });
const setting = { steps: 1, batchSize: 2, seed: 3, adapter };

/** A run of a classifier with its matrix and bias at the end. */
async function classified(
  model: ScriptedModel,
  rows: Example[],
  tuner: Tuner,
): Promise<{ run: Run; W: number[][]; b: number[] }> {
  let [W, b] = [[] as number[][], [] as number[]];
  const onAdapted = async ({ parameters }: Adapted): Promise<void> => {
    const [weight, bias] = await Promise.all(parameters.slice(-2).map(({ value }) => valuesOf(value)));
    const width = weight!.length / 2;
    [W, b] = [[[...weight!.slice(0, width)], [...weight!.slice(width)]], [...bias!]];
  };
  const run = await tune(model, taskOf(rows), tuner, { ...setting, onAdapted });
  return { run, W, b };
}

/** The probability of class 1 after a word: what the model sees is that word alone. */
const second = (model: ScriptedModel, W: number[][], b: number[], word: string): number => {
  const at = model.tokenizer.id(word)!;
  const margin = W[1]![at]! + b[1]! - W[0]![at]! - b[0]!;
  return 1 / (1 + Math.exp(-margin));
};

test("a classifier reads the last token of a prompt, and answers of any length are its classes", async () => {
  const model = scripted();
  const rows = [asked("good", 0), example("it was bad", LONG, 1)];
  const { run, W, b } = await classified(model, rows, still);
  const [good, bad] = ["good", "bad"].map((word) => second(model, W, b, word));
  const loss = -(Math.log(1 - good!) + Math.log(bad!)) / 2;
  for (const found of [...run.steps[0]!.losses, run.scores[0]!.loss]) expect(found).toBeCloseTo(loss, 5);
  expect(run.scores[0]!.score).toBe([good! < 0.5, bad! > 0.5].filter(Boolean).length / 2);
  expect(model.seen).toContain("<s> it was good");
});

test("of a masked model it reads the first token, of a text without a mask", async () => {
  const model = scripted({}, { masked: true });
  const parts: MaskedPart[] = [{ text: "it was" }, MASK, { text: "a" }];
  const row = (...gold: number[]): Example => ({
    masked: { prompt: { parts, maxLength: 20 }, options: [" yes", " no"] },
    gold,
  });
  const { run, W, b } = await classified(model, [row(1), row(1)], still);
  expect(run.steps[0]!.losses[0]).toBeCloseTo(-Math.log(second(model, W, b, "<s>")), 5);
  expect(new Set(model.seen)).toEqual(new Set(["<s> it was a </s>"]));
});

test("FT steps down its gradient", async () => {
  const model = scripted();
  const before = await classified(model, [asked("good", 0), asked("good", 0)], still);
  const { W, b } = await classified(
    model,
    [asked("good", 0), asked("good", 0)],
    sgd({ lr: 2, schedule: "constant", clipNorm: 0 }),
  );
  const p = second(model, before.W, before.b, "good");
  const at = model.tokenizer.id("good")!;
  for (const [now, was] of [
    [W[0]![at]! - W[1]![at]!, before.W[0]![at]! - before.W[1]![at]!],
    [b[0]! - b[1]!, 0],
  ] as const)
    expect(now - was).toBeCloseTo(2 * 2 * p, 4);
});

test("the seed draws it small, with a bias of 0", async () => {
  const model = scripted();
  const adapted = adapter.begin(model, { seed: 3, vocabulary: 9 });
  const other = adapter.begin(model, { seed: 4, vocabulary: 9 });
  const weights = [...(await valuesOf(adapted.head!.weight))];
  expect(Math.sqrt(weights.reduce((sum, w) => sum + w * w, 0) / weights.length)).toBeCloseTo(0.02, 2);
  expect([...(await valuesOf(adapted.head!.bias!))]).toEqual([0, 0]);
  expect(await hashTheta(adapted.parameters)).not.toBe(await hashTheta(other.parameters));
  for (const each of [adapted, other]) each.dispose();
});

test("what it does not fit is refused", async () => {
  const model = scripted();
  const three = example("it was good", [" yes", " no", " way"], 0);
  await expect(tune(model, taskOf([three]), still, setting)).rejects.toThrow(
    /of 2 classes was given an example with 3 options: make it with classes: 3/,
  );
  await expect(tune(model, taskOf([asked("good", 0)], { loss: "answer" }), still, setting)).rejects.toThrow(
    /over the tokens of right answers, of which a mask and a classifier have none/,
  );
  expect(() => classifier({ labels: 2 } as never)).toThrow(/A classifier has no option labels: it has classes/);
  expect(() => classifier({ classes: 0 })).toThrow(/a whole number from 1 on as classes/);
});
