import { describe, expect, test } from "vitest";
import { classify } from "../../../src/experiment/classify.ts";
import { evaluate } from "../../../src/experiment/evaluate.ts";
import { generate } from "../../../src/experiment/generate.ts";
import { report } from "../../../src/experiment/report.ts";
import { classification } from "../../../src/tasks/classification.ts";
import type { Task, TaskDefinition } from "../../../src/tasks/task.ts";
import { MASK } from "../../../src/text/maskedPrompt.ts";
import type { Script } from "../../scripted.ts";
import { ANSWERS, close, example, LONG, scripted, taskOf, YES_NO } from "./cases.ts";

/** A task that asks "it was good", say, of the text "good". */
const asking = (options: readonly string[]): TaskDefinition => ({
  ...{ name: "scripted", metric: "accuracy", loss: "candidates" },
  autoregressive: { prompt: ({ text }) => `it was ${text}`, options: () => options },
  masked: {
    prompt: ({ text }) => ({ parts: [{ text: `${text} it was` }, MASK], maxLength: 20 }),
    options: () => options,
  },
  gold: ({ label }) => [Number(label)],
});

const { sqrt } = Math;

describe("classify gives each text", () => {
  test("its likeliest class and the softmax over the classes' scores, whether it is a text or a row", async () => {
    const answers = await classify(scripted(), asking(YES_NO), ["good", { text: "bad" }, "odd"]);
    expect(answers).toEqual([
      { label: "yes", probability: close(3 / 4), probabilities: { yes: close(3 / 4), no: close(1 / 4) } },
      { label: "no", probability: close(4 / 5), probabilities: { yes: close(1 / 5), no: close(4 / 5) } },
      { label: "yes", probability: close(3 / 4), probabilities: { yes: close(3 / 4), no: close(1 / 4) } },
    ]);
  });

  test("probabilities from the means of its answers' tokens, as the loss compares them", async () => {
    const [answer] = await classify(scripted(), asking(LONG), ["good"]);
    expect(answer).toMatchObject({ label: "yes", probability: close(0.6 / (0.6 + sqrt(0.2 * 0.95))) });
  });

  test("the names that its data has for the classes", async () => {
    const named = { ...asking(YES_NO), classNames: ["fine", "poor"] };
    const [answer] = await classify(scripted(), named, ["bad"]);
    expect(answer).toMatchObject({ label: "poor", probabilities: { fine: close(1 / 5), poor: close(4 / 5) } });
  });

  test("what fills the mask, of a masked model", async () => {
    const [answer] = await classify(scripted(undefined, { masked: true }), asking(YES_NO), ["bad"]);
    expect(answer).toMatchObject({ label: "no", probability: close(4 / 5) });
  });

  test("the label of a classification, of models of both kinds", async () => {
    const spec = { text: "text", label: "label", classes: { fine: " yes", poor: " no" }, prompt: "{text} it was" };
    const [answer] = await classify(scripted(undefined, { masked: true }), classification(spec), ["bad"]);
    expect(answer).toMatchObject({ label: "poor", probabilities: { fine: close(1 / 5), poor: close(4 / 5) } });
    const turned = classification({ ...spec, prompt: "it was {text}" });
    expect(await classify(scripted(), turned, [{ text: "bad" }])).toEqual([answer]);
    const two = classification({ ...spec, text: ["title", "text"], prompt: "{title} {text}" });
    await expect(classify(scripted(), two, ["bad"])).rejects.toThrow(
      /^Text 1: label classification reads title and text;/,
    );
  });

  test("answers in the texts' order, whatever their lengths, and reports how many are done", async () => {
    const texts = ["a a a a good", "bad", "a odd", "bad"];
    const done: number[] = [];
    const onProgress = (event: { readonly done: number }): void => void done.push(event.done);
    const answers = await classify(scripted(), asking(YES_NO), texts, { onProgress });
    expect(answers.map(({ label }) => label)).toEqual(["yes", "no", "yes", "no"]);
    expect(done.at(-1)).toBe(4);
    expect(await classify(scripted(), asking(YES_NO), [])).toEqual([]);
  });

  test("the begin token that the model was tuned with, unless another is named", async () => {
    const model = scripted();
    await classify(model, asking(YES_NO), ["good"]);
    await classify({ ...model, tunedBegin: "config" }, asking(YES_NO), ["good"]);
    await classify({ ...model, tunedBegin: "config" }, asking(YES_NO), ["good"], { begin: "mezo" });
    expect(model.seen).toEqual(["<s> it was good", "<bos> it was good", "<s> it was good"]);
  });
});

test("classify refuses a row that the task cannot use by its number, written answers, and a task without a definition", async () => {
  const model = scripted();
  const picky: TaskDefinition = {
    ...asking(YES_NO),
    autoregressive: { prompt: ({ text }) => String((text as string).trim()), options: () => YES_NO },
  };
  await expect(classify(model, picky, ["good", {}])).rejects.toThrow(/^Text 2: the task "scripted" fails in/);
  await expect(classify(model, "SQuAD", ["good"])).rejects.toThrow(/SQuAD, whose answers are written out/);
  await expect(classify(model, taskOf([]), ["good"])).rejects.toThrow(/without a definition/);
  await expect(classify(model, "RTE", ["good"])).rejects.toThrow(/^Text 1: the row has no premise/);
  const several = { ...asking(YES_NO), unpack: () => [{ text: "good" }, { text: "bad" }] };
  await expect(classify(model, several, ["good"])).rejects.toThrow(/^Text 1: the row holds 2 questions/);
});

const THREE: readonly string[] = [" yes", " no", " red"];
/** The likeliest is yes, no, red and red again. */
const MIXED: Script = {
  good: { yes: 0.6, no: 0.2, red: 0.1 },
  bad: { yes: 0.1, no: 0.45, red: 0.3 },
  odd: { yes: 0.15, no: 0.1, red: 0.6 },
  la: { yes: 0.05, no: 0.05, red: 0.8 },
};
const WORDS_AND_GOLD: readonly (readonly [word: string, gold: number])[] = [
  ...([
    ["good", 0],
    ["good", 0],
    ["good", 0],
    ["good", 1],
  ] as const),
  ...([
    ["bad", 1],
    ["bad", 1],
    ["bad", 2],
  ] as const),
  ...([
    ["odd", 2],
    ["odd", 2],
    ["odd", 0],
  ] as const),
  ...([
    ["la", 2],
    ["la", 1],
  ] as const),
];
const mixed = (rest: Partial<Task> = {}): Task =>
  taskOf(
    WORDS_AND_GOLD.map(([word, gold]) => example(`it was ${word}`, THREE, gold)),
    rest,
  );

describe("a report", () => {
  test("has scikit-learn's confusion matrix, precision, recall and F1, and the score of evaluate", async () => {
    const model = scripted(MIXED);
    const found = await report(model, mixed());
    const { scores } = await evaluate(model, mixed());
    expect(found).toMatchObject({
      task: "scripted",
      model: "scripted",
      on: "test",
      n: 12,
      labels: ["yes", "no", "red"],
    });
    expect(found.accuracy).toBe(scores[0]!.score);
    expect(found.standardError).toBe(scores[0]!.standardError);
    expect(found.loss).toBe(scores[0]!.loss);
    // scikit-learn 1.9.1: confusion_matrix, and precision_recall_fscore_support without and with average="macro".
    expect(found.confusion).toEqual([
      [3, 0, 1],
      [1, 2, 1],
      [0, 1, 3],
    ]);
    expect(found.classes).toEqual([
      { label: "yes", precision: 0.75, recall: 0.75, f1: 0.75, support: 4 },
      { label: "no", precision: close(0.66666667), recall: 0.5, f1: close(0.57142857), support: 4 },
      { label: "red", precision: close(0.6), recall: 0.75, f1: close(0.66666667), support: 4 },
    ]);
    expect(found.macro).toEqual({
      precision: close(0.6722222222222222),
      recall: close(0.6666666666666666),
      f1: close(0.6626984126984127),
    });
  });

  test("tells calibration by ten bins, worked out by hand", async () => {
    const { calibration } = await report(scripted(MIXED), mixed());
    const full = calibration.bins.filter(({ n }) => n > 0);
    expect(calibration.bins).toHaveLength(10);
    expect(full).toEqual([
      { from: 0.5, to: 0.6, n: 3, accuracy: close(2 / 3), confidence: close(0.45 / 0.85) },
      { from: 0.6, to: 0.7, n: 4, accuracy: close(3 / 4), confidence: close(0.6 / 0.9) },
      { from: 0.7, to: 0.8, n: 3, accuracy: close(2 / 3), confidence: close(0.6 / 0.85) },
      { from: 0.8, to: 0.9, n: 2, accuracy: close(1 / 2), confidence: close(0.8 / 0.9) },
    ]);
    const gaps = [3 * (2 / 3 - 0.45 / 0.85), 4 * (3 / 4 - 2 / 3), 3 * (0.6 / 0.85 - 2 / 3), 2 * (8 / 9 - 1 / 2)];
    expect(calibration.error).toBeCloseTo(gaps.reduce((a, b) => a + b) / 12, 6);
  });

  test("counts a row of several right answers by the one that was given, and empty classes as 0", async () => {
    const rows = [
      example("it was good", THREE, 1, 0),
      example("it was good", THREE, 0),
      example("it was bad", THREE, 0, 2),
    ];
    const found = await report(scripted(MIXED), taskOf([], { dev: rows }), { on: "dev" });
    expect(found).toMatchObject({ on: "dev", n: 3, accuracy: 2 / 3 });
    expect(found.confusion).toEqual([
      [2, 1, 0],
      [0, 0, 0],
      [0, 0, 0],
    ]);
    // scikit-learn 1.9.1 with zero_division=0.
    expect(found.classes.map(({ precision, recall, f1 }) => [precision, recall, f1])).toEqual([
      [1, close(2 / 3), close(0.8)],
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(found.macro).toEqual({ precision: close(1 / 3), recall: close(2 / 9), f1: close(0.8 / 3) });
  });

  test("is refused where rows have no classes in common", async () => {
    await expect(report(scripted(), mixed({ classes: "none" }))).rejects.toThrow(/its rows have none in common/);
  });
});

describe("generate", () => {
  test("continues texts up to a stop, an end token or the longest, and gives the new part alone, as it stands after the text", async () => {
    const model = scripted(ANSWERS);
    const texts = ["a a it was good", "it was odd", "it was bad"];
    expect(await generate(model, texts, { maxNewTokens: 5, stop: "\n" })).toEqual([
      " red",
      " la la la la la",
      " blue sky",
    ]);
    expect(await generate(model, texts, { maxNewTokens: 5, stop: ["sky", "ue sk", "red", "la la la"] })).toEqual([
      " ",
      " ",
      " bl",
    ]);
    expect(model.seen).toContain("<bos> it was bad");
    expect(await generate({ ...model, tunedBegin: "mezo" }, ["it was bad"])).toEqual([" blue sky"]);
    expect(model.seen.at(-3)).toBe("<s> it was bad");
  });

  test("refuses masked models, a text in the place of a list, and a text that leaves no room", async () => {
    await expect(generate(scripted(undefined, { masked: true }), ["good"])).rejects.toThrow(/masked model/);
    await expect(generate(scripted(), "good" as unknown as string[])).rejects.toThrow(/give \[text\]/);
    await expect(generate(scripted(), ["good"], { maxNewTokens: 79 })).rejects.toThrow(/the model reads 80/);
    await expect(generate(scripted(), ["good"], { maxNewTokens: -1 })).rejects.toThrow(/not -1/);
  });
});
