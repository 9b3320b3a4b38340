import { describe, expect, test } from "vitest";
import { evaluate, evaluateMajority } from "../../../src/experiment/evaluate.ts";
import { probe } from "../../../src/experiment/probe.ts";
import { tune } from "../../../src/experiment/tune.ts";
import { generateAnswers } from "../../../src/loss/generation.ts";
import type { Task } from "../../../src/tasks/task.ts";
import type { Progress } from "../../../src/tensor/progress.ts";
import { MASK, type MaskedPart } from "../../../src/text/maskedPrompt.ts";
import { mezo } from "../../../src/tuners/mezo.ts";
import type { Script } from "../../scripted.ts";
import { ANSWERS, asked, example, LONG, SCRIPT, scripted, taskOf, YES_NO } from "./cases.ts";

const { log, sqrt } = Math;

interface Expected {
  readonly score: number;
  readonly standardError: number;
  readonly n?: number;
  readonly loss?: number;
  readonly exactMatch?: number;
  readonly rows?: readonly number[];
}

function expectScore(found: object | undefined, { rows, ...expected }: Expected): void {
  for (const [name, value] of Object.entries(expected))
    expect((found as Record<string, number>)[name], name).toBeCloseTo(value, 6);
  expect((found as { exactMatch?: number }).exactMatch === undefined).toBe(expected.exactMatch === undefined);
  if (rows) expect(found).toMatchObject({ rows });
}

/** The first is the longest; right, half right and wrong by `ANSWERS`. */
const QUESTIONS = [
  example("a a it was good", [" red"], 0),
  example("a it was bad", [" blue"], 0),
  example("it was odd", [" no way", " yes"], 0, 1),
];

test.each<[string, Script, Task, Expected]>([
  [
    "answers of one token: the likelier is the answer, the loss is cross entropy over the candidates",
    SCRIPT,
    taskOf([asked("good", 0), asked("bad", 1), asked("odd", 1), asked("good", 0)]),
    {
      ...{ score: 3 / 4, standardError: sqrt(3 / 64), rows: [1, 1, 0, 1] },
      loss: -(2 * log(3 / 4) + log(4 / 5) + log(1 / 4)) / 4,
    },
  ],
  [
    "several right answers: any counts, the loss aims at the first",
    SCRIPT,
    taskOf([asked("good", 1, 0), asked("bad", 1, 0)]),
    { score: 1, standardError: 0, rows: [1, 1], loss: -(log(1 / 4) + log(4 / 5)) / 2 },
  ],
  [
    "answers of several tokens: means of their tokens' log-probabilities are compared, not sums",
    SCRIPT,
    taskOf([example("it was odd", LONG, 1), example("it was good", LONG, 1)]),
    {
      ...{ score: 1 / 2, standardError: sqrt(1 / 8), rows: [1, 0] },
      loss: -(log(sqrt(0.095) / (0.3 + sqrt(0.095))) + log(sqrt(0.19) / (0.6 + sqrt(0.19)))) / 2,
    },
  ],
  [
    "the answer loss: the mean over all right answers' tokens, a long answer weighing more",
    SCRIPT,
    taskOf([example("it was good", LONG, 0), example("it was bad", LONG, 1)], { loss: "answer" }),
    { score: 1, standardError: 0, loss: -(log(0.6) + log(0.4) + log(0.95)) / 3 },
  ],
  [
    "generated answers: the score is the mean F1, beside it the share that matches exactly",
    ANSWERS,
    taskOf(QUESTIONS, { metric: "F1", loss: "answer" }),
    {
      score: (1 + 2 / 3 + 0) / 3,
      standardError: sqrt(7) / 9,
      loss: -(log(0.5) + log(0.8) + log(0.1) + log(0.95)) / 4,
      ...{ exactMatch: 1 / 3, rows: [1, expect.closeTo(2 / 3, 12), 0] },
    },
  ],
])("evaluate scores %s", async (_what, script, task, expected) => {
  const { scores } = await evaluate(scripted(script), task);
  expect(scores).toMatchObject([{ on: "test", step: 0, n: task.test.length }]);
  expectScore(scores[0], expected);
});

describe("a masked model", () => {
  const parts: readonly MaskedPart[] = [{ text: "good it was" }, MASK];
  const task = taskOf([{ masked: { prompt: { parts, maxLength: 20 }, options: YES_NO }, gold: [0] }]);

  test("is scored by what it fills the mask with, between the begin token asked for and the end token", async () => {
    const model = scripted(SCRIPT, { masked: true });
    for (const begin of ["mezo", "config"] as const)
      expectScore((await evaluate(model, task, { begin })).scores[0], { score: 1, standardError: 0, loss: log(4 / 3) });
    expect(model.seen).toEqual(["<s> good it was <mask> </s>", "<bos> good it was <mask> </s>"]);
  });

  test("reads no more than its longest sequence, whatever the prompt allows, and keeps the mask", async () => {
    const long = [{ text: `good ${"a ".repeat(100)}` }, MASK] as const;
    const model = scripted(SCRIPT, { masked: true });
    await evaluate(
      model,
      taskOf([{ masked: { prompt: { parts: long, maxLength: 200 }, options: YES_NO }, gold: [0] }]),
    );
    expect(model.seen[0]!.split(" ")).toHaveLength(80);
    expect(model.seen[0]).toMatch(/^<s> good a .* a <mask> <\/s>$/);
  });
});

test("in context the model sees the demonstrations with their first right answers before the prompt", async () => {
  const task = taskOf([asked("good", 0)], { train: [asked("bad", 1, 0)] });
  const model = scripted();
  await evaluate(model, task, { shots: 1 });
  // Of five demonstrations there is one.
  const { header } = await evaluate(model, task, { shots: 5, begin: "config" });
  expect(header).toMatchObject({ method: "ICL", settings: { shots: 1, draw: "fresh", begin: "config" } });
  expect(model.seen).toEqual(["<s> it was bad no \n \n it was good", "<bos> it was bad no \n \n it was good"]);
});

describe("generation", () => {
  test("ends at the line break, which no longer belongs to the answer, at the end token, and after 50 tokens", async () => {
    const model = scripted(ANSWERS);
    const answers = await generateAnswers(model, { texts: QUESTIONS });
    expect(answers).toEqual([
      { answer: "red", right: [" red"] },
      { answer: "blue sky", right: [" blue"] },
      { answer: Array(50).fill("la").join(" "), right: [" no way", " yes"] },
    ]);
    // The shortest is first. The first ends after "red", the second after "sky"; what ended is run no more.
    expect(model.seen.slice(3, 10)).toEqual(["la", "blue", "red", "la", "sky", "la", "la"]);
    expect(model.seen).toHaveLength(3 + 3 + 2 + 47);
  });

  test("tells how many examples have their answers after every pass, of which many prompts take several", async () => {
    const texts = Array.from({ length: 200 }, () => example(`${"a ".repeat(40)}it was good`, [" red"], 0));
    const done: number[] = [];
    await generateAnswers(scripted(ANSWERS), { texts }, { onDone: (so) => done.push(so) });
    expect(done).toHaveLength(2);
    expect(done[0]).toBeLessThan(200);
    expect(done[1]).toBe(200);
  });

  test("a score's progress names every pass of its examples, whose answers are options", async () => {
    const done: number[] = [];
    const onProgress: Progress = ({ part, done: so }) => void (part ?? done.push(so));
    const long = Array.from({ length: 64 }, () => example(`${"a ".repeat(90)}it was`, YES_NO, 0));
    await evaluate(scripted(), taskOf(long), { onProgress });
    expect(new Set(done).size).toBeGreaterThan(1);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect(done.at(-1)).toBe(64);
  });

  test("after demonstrations gives each example its own, also beyond the 64 that are scored at once", async () => {
    const examples = Array.from({ length: 66 }, (_, i) => example(`${"a ".repeat(i % 7)}it was good`, [" red"], 0));
    const train = ["good", "bad", "odd", "sky"].map((word) => example(`it was ${word}`, [" red"], 0));
    const model = scripted(ANSWERS);
    await evaluate(model, taskOf(examples, { metric: "F1", loss: "answer", train }), { shots: 1 });
    // The prompts that it continued are those before the right answers, whose loss comes last.
    const prompts = model.seen.filter((text) => text.startsWith("<s>"));
    expect(prompts).toHaveLength(2 * 66);
    expect(prompts.slice(0, 66).toSorted()).toEqual(prompts.slice(66).toSorted());
    expect(new Set(prompts.map((text) => text.split(" ")[3]))).toEqual(new Set(["good", "bad", "odd", "sky"]));
  });
});

test("linear probing puts half of a two-class fit into each answer's row, of the strongest penalty among equals", async () => {
  // One feature tells the classes apart, so every penalty is right on all rows and the strongest is chosen. Each class's row r obeys
  // scale · r = n · C · scale² / (1 + exp(2 · scale · r)); this scale makes it ln(3) / 2, and half of the two rows' difference too.
  const [n, C] = [5, 1e-4];
  const model = scripted(SCRIPT, { scale: sqrt((2 * log(3)) / (n * C)) });
  const train = Array.from({ length: 2 * n }, (_, i) => asked(i % 2 ? "bad" : "good", i % 2));
  const test = [asked("good", 0), asked("bad", 1), asked("good", 1, 0), asked("bad", 0)];
  const run = await probe(model, taskOf(test, { train }));
  expect(run.header.settings.C).toBeCloseTo(C, 12);
  const loss = (2 * log(1 + 1 / sqrt(3)) + 2 * log(1 + sqrt(3))) / 4;
  expectScore(run.scores[0], { score: 3 / 4, standardError: sqrt(3 / 64), loss, rows: [1, 1, 1, 0] });
  // MeZO from there begins with these rows.
  const settings = { seed: 1, batchSize: 2 * n, steps: 1, from: run };
  const { steps } = await tune(model, taskOf(test, { train }), mezo({ lr: 0, eps: 1e-7 }), settings);
  for (const found of steps[0]!.losses) expect(found).toBeCloseTo(log(1 + 1 / sqrt(3)), 5);
});

test("the majority class is that of the training part, scored on the test part", () => {
  const task = taskOf([asked("good", 0), asked("good", 1, 0), asked("bad", 1, 0), asked("bad", 1)], {
    train: [asked("odd", 0), asked("odd", 0), asked("odd", 1)],
  });
  const { header, scores } = evaluateMajority(task, 3);
  expect(header).toMatchObject({ method: "Majority", model: "none", seed: 3, settings: { label: 0 } });
  expectScore(scores[0], { score: 3 / 4, standardError: sqrt(3 / 64), n: 4, rows: [1, 1, 1, 0] });
});
