import { afterEach, describe, expect, test } from "vitest";
import { headTuning } from "../../src/adapters/headTuning.ts";
import { costOf } from "../../src/experiment/cost.ts";
import { bestStep, cut } from "../../src/experiment/cut.ts";
import { evaluate, evaluateMajority } from "../../src/experiment/evaluate.ts";
import { generateAnswers } from "../../src/experiment/generateAnswers.ts";
import { accuracy, exactMatch, f1 } from "../../src/experiment/measures.ts";
import { probe } from "../../src/experiment/probe.ts";
import type { Run } from "../../src/experiment/run.ts";
import { tune } from "../../src/experiment/tune.ts";
import type { Example, Task } from "../../src/tasks/task.ts";
import type { Perturb } from "../../src/tensor/perturb.ts";
import { writeValues } from "../../src/tensor/writeValues.ts";
import { MASK, type MaskedPart } from "../../src/text/masked.ts";
import { forwardGradient } from "../../src/tuners/forwardGradient.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { sgd } from "../../src/tuners/sgd.ts";
import type { Tuner } from "../../src/tuners/tuner.ts";
import { type Script, type ScriptedModel, type ScriptedOptions, scriptedModel } from "../scripted.ts";

// A scripted model gives known probabilities, so that every number below is worked out by hand.

const WORDS = "a it was good bad odd yes no way red blue sky la";
const { log, sqrt, exp } = Math;

/** After "good" yes to no is 3 to 1, after "bad" 1 to 4, after "odd" 3 to 1 again, but "no way" is likelier a token. */
const SCRIPT: Script = {
  good: { yes: 0.6, no: 0.2 },
  bad: { yes: 0.1, no: 0.4 },
  odd: { yes: 0.3, no: 0.1 },
  no: { way: 0.95 },
};

const models: ScriptedModel[] = [];
afterEach(() => models.splice(0).forEach((model) => model.dispose()));

/** A model for this test. */
function scripted(script: Script = SCRIPT, options: ScriptedOptions = {}): ScriptedModel {
  const model = scriptedModel(WORDS, script, options);
  models.push(model);
  return model;
}

/** An example of a text to continue, with its options and which of them are right. */
const example = (prompt: string, options: readonly string[], ...gold: number[]): Example => ({
  autoregressive: { prompt, options },
  gold,
});

const YES_NO = [" yes", " no"];
const asked = (word: string, ...gold: number[]): Example => example(`it was ${word}`, YES_NO, ...gold);

const taskOf = (test: Example[], rest: Partial<Task> = {}): Task => ({
  ...{ name: "scripted", metric: "accuracy", loss: "candidates", data: "scripted", train: test, dev: test, test },
  ...rest,
});

/** A number that float32 comes near. */
const close = (value: number): unknown => expect.closeTo(value, 5);

interface Expected {
  readonly score: number;
  readonly standardError: number;
  readonly n?: number;
  readonly loss?: number;
  readonly exactMatch?: number;
}

function expectScore(found: object | undefined, expected: Expected): void {
  for (const [name, value] of Object.entries(expected))
    expect((found as Record<string, number>)[name], name).toBeCloseTo(value, 6);
  expect((found as { exactMatch?: number }).exactMatch === undefined).toBe(expected.exactMatch === undefined);
}

const LONG = [" yes", " no way"];
const ANSWERS: Script = {
  good: { red: 0.5, blue: 0.3 },
  bad: { blue: 0.8 },
  odd: { la: 0.6, no: 0.1 },
  red: { "\n": 0.9 },
  blue: { sky: 0.7 },
  sky: { "</s>": 0.9 },
  la: { la: 0.9 },
  no: { way: 0.95 },
};
/** Generated: "red", "blue sky" and "la la la …". */
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
    { score: 3 / 4, standardError: sqrt(3 / 64), loss: -(2 * log(3 / 4) + log(4 / 5) + log(1 / 4)) / 4 },
  ],
  [
    "several right answers: any counts, the loss aims at the first",
    SCRIPT,
    taskOf([asked("good", 1, 0), asked("bad", 1, 0)]),
    { score: 1, standardError: 0, loss: -(log(1 / 4) + log(4 / 5)) / 2 },
  ],
  [
    "answers of several tokens: means of their tokens' log-probabilities are compared, not sums",
    SCRIPT,
    taskOf([example("it was odd", LONG, 1), example("it was good", LONG, 1)]),
    {
      score: 1 / 2,
      standardError: sqrt(1 / 8),
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
      exactMatch: 1 / 3,
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
  expect(header).toMatchObject({ method: "ICL", options: { shots: 1, draw: "fresh", begin: "config" } });
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

/** Where the table has a word after a word. */
const placeOf = ({ tokenizer: { id, size } }: ScriptedModel, word: string, after: string): number =>
  id(word)! * size + id(after)!;

/** Noise whose z is 1 at that place of the table and 0 elsewhere. */
const along =
  (model: ScriptedModel, word: string, after: string): Perturb =>
  (theta, scale, _draw, keep = 1) => {
    const at = placeOf(model, word, after);
    for (const { value } of theta)
      writeValues(
        value,
        value.dataSync<"float32">().map((v, i) => keep * v + (i === at ? scale : 0)),
      );
  };

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
    expect(run.header.options).toEqual({ steps: 20, batchSize: 16, evaluateEvery: 4, begin: "mezo" });
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
    const task = taskOf([asked("bad", 1)], { train: [asked("good", 0)] });
    const notes: (string | undefined)[] = [];
    await tune(model, task, follows(model, Array(60).fill(good(0.5))), {
      ...{ ...setting, steps: 60, evaluateEvery: 40 },
      onProgress: ({ label, note }) => label === "scripted" && notes.push(note),
    });
    // The first step alone saw the first script.
    expect([notes[0], notes[39], notes[40], notes[59]]).toEqual([
      ...["loss 0.105", "loss 0.678", "loss 0.679, dev 100.0 %", "loss 0.693, dev 100.0 %"],
    ]);
  });

  test("by MeZO steps against the difference of the two losses over 2 eps (Algorithm 1)", async () => {
    const model = scripted();
    const [eps, lr] = [0.5, 2];
    const tuner = mezo({ lr, eps, noise: along(model, "yes", "good") });
    const run = await tune(model, taskOf([asked("good", 0)]), tuner, { ...setting, steps: 1 });
    const lossAt = (moved: number): number => log(1 + exp(-moved) / 3);
    const grad = (lossAt(eps) - lossAt(-eps)) / (2 * eps);
    expect(run.steps).toMatchObject([
      { losses: [close(lossAt(eps)), close(lossAt(-eps))], projectedGrad: close(grad) },
    ]);
    expect(run.scores[0]).toMatchObject({ on: "dev", loss: close(lossAt(-lr * grad)) });
  });

  const OF_THREE = [
    ...[example("it was good", LONG, 0), example("it was bad", LONG, 1, 0)],
    example("it was odd", [...LONG, " no"], 1),
  ];
  const STILL: readonly [string, (model: ScriptedModel) => Tuner][] = [
    ["MeZO, both sides in one pass", () => mezo({ lr: 0, eps: 1e-7 })],
    ["MeZO, theta moved in place", (model) => mezo({ lr: 0, eps: 1e-7, noise: along(model, "sky", "sky") })],
    ["FT", () => sgd({ lr: 0 })],
  ];

  test.each(STILL)("by %s sees the batch's own loss, also in micro-batches of unequal size", async (_name, tuner) => {
    const model = scripted();
    const [good, bad, odd] = [0.6, 0.1, 0.3].map((yes, i) => [yes, sqrt([0.2, 0.4, 0.1][i]! * 0.95)] as const);
    const share = (right: number, ...wrong: number[]): number => log(right / wrong.reduce((a, b) => a + b, right));
    const losses = {
      candidates: -(share(good![0], good![1]) + share(bad![1], bad![0]) + share(odd![1], odd![0], 0.1)) / 3,
      answer: -(log(0.6) + log(0.4) + log(0.95) + log(0.1) + log(0.95)) / 5,
    };
    for (const loss of ["candidates", "answer"] as const)
      for (const microBatchSize of [3, 2]) {
        const settings = { ...setting, steps: 1, microBatchSize };
        const { steps } = await tune(model, taskOf(OF_THREE, { loss }), tuner(model), settings);
        for (const found of steps[0]!.losses) expect(found).toBeCloseTo(losses[loss], 5);
      }
  });

  /** 80 examples of up to 73 words, more than a pass takes: three in four after "good", answered right, the others after "bad". */
  const longBatch = (options: readonly string[]): Example[] =>
    Array.from({ length: 80 }, (_, i) =>
      i % 4
        ? example(`${"a ".repeat(30 + (i % 40))}it was good`, options, 0)
        : example(`${"a ".repeat(i % 70)}it was bad`, options, 1),
    );
  const one = { ...setting, batchSize: 80, steps: 1 };

  test.each(STILL)("by %s sees one mean over a batch of more tokens than a pass takes", async (_name, tuner) => {
    const model = scripted();
    const way = sqrt(0.95);
    for (const [options, no, yes] of [
      [YES_NO, 0.2, 0.4],
      [LONG, sqrt(0.2) * way, sqrt(0.4) * way],
    ] as const) {
      const task = taskOf([asked("good", 0)], { train: longBatch(options) });
      const { steps } = await tune(model, task, tuner(model), one);
      for (const found of steps[0]!.losses)
        expect(found).toBeCloseTo((3 * log(1 + no / 0.6) + log(1 + 0.1 / yes)) / 4, 5);
    }
  });

  test("in forward mode adds up the derivatives of all passes and micro-batches", async () => {
    const model = scripted();
    const task = taskOf([asked("good", 0)], { train: longBatch(YES_NO) });
    const tuner = forwardGradient({ lr: 0, noise: along(model, "yes", "good") });
    for (const microBatchSize of [80, 60]) {
      const { steps } = await tune(model, task, tuner, { ...one, microBatchSize });
      expect(steps[0]!.projectedGrad).toBeCloseTo((-3 / 4) * (1 - 3 / 4), 5);
    }
  });

  test.each([false, true])("by FT steps down the gradient of the batch, checkpointing %s", async (checkpointing) => {
    const model = scripted();
    const task = taskOf([asked("good", 0), asked("bad", 1), asked("odd", 1)], { dev: [asked("good", 0)] });
    const tuner = sgd({ lr: 1, schedule: "constant", clipNorm: 0 });
    const settings = { ...setting, steps: 1, microBatchSize: 2, checkpointing };
    const { header, steps, scores } = await tune(model, task, tuner, settings);
    expect(header.options.checkpointing ?? false).toBe(checkpointing);
    expect(steps[0]!.losses).toEqual([close(-(log(3 / 4) + log(4 / 5) + log(1 / 4)) / 3)]);
    // Of both answers' logits after "good" the derivative is a third of ∓(1 − 3/4).
    expect(scores[0]!.loss).toBeCloseTo(log(1 + exp(-1 / 6) / 3), 6);
  });

  test("of the head alone begins at the model's own, and leaves that as it is", async () => {
    const model = scripted();
    const task = taskOf([asked("good", 0)]);
    const tuner = sgd({ lr: 1, schedule: "constant", clipNorm: 0 });
    const { header, steps, scores } = await tune(model, task, tuner, { ...setting, steps: 1, adapter: headTuning() });
    expect(header).toMatchObject({ method: "FT (head)", tuner: "FT", adapter: "head", passes: "pair" });
    expect(steps[0]!.losses).toEqual([close(log(4 / 3))]);
    expect(scores[0]!.loss).toBeCloseTo(log(1 + exp(-1 / 2) / 3), 6);
    expectScore((await evaluate(model, task)).scores[0], { score: 1, standardError: 0, loss: log(4 / 3) });
  });

  // One example is answered "blue sky" whatever happens, the other "red", right, above eps and "blue sky", wrong, below it.
  // Examples count alike, though the first's right answer is longer.
  const MEASURED = [example("it was bad", [" blue red"], 0), example("it was good", [" red"], 0)];
  test.each([
    ["accuracy", accuracy, [asked("good", 0), asked("bad", 0)], ["yes", "bad"], [1, 1 / 2]],
    ["F1", f1, MEASURED, ["red", "good"], [3 / 4, 1 / 4]],
    ["exact match", exactMatch, MEASURED, ["red", "good"], [1 / 2, 0]],
  ])(
    "may make %s large: its negative is the loss, and theta moves up",
    async (name, maximize, examples, [word, after], [above, below]) => {
      const model = scripted({
        ...SCRIPT,
        ...ANSWERS,
        good: { red: 0.35, blue: 0.36, yes: 0.1 },
        bad: { blue: 0.5, yes: 0.2, no: 0.25 },
      });
      const place = placeOf(model, word!, after!);
      const before = model.head.weight.dataSync()[place]!;
      const tuner = mezo({ lr: 4, eps: 1, noise: along(model, word!, after!) });
      const settings = {
        ...setting,
        steps: 1,
        microBatchSize: 1,
        begin: "config",
        maximize,
        keepWeights: true,
      } as const;
      const run = await tune(model, taskOf(examples, { loss: "answer" }), tuner, settings);
      expect(run.header).toMatchObject({ passes: "sweeps", options: { microBatchSize: 1, maximize: name } });
      expect(model.seen.filter((text) => text.startsWith("<s>"))).toEqual([]);
      expect(run.steps[0]).toMatchObject({
        losses: [close(-above!), close(-below!)],
        projectedGrad: close((below! - above!) / 2),
      });
      expect(model.head.weight.dataSync()[place]! - before).toBeCloseTo(2 * (above! - below!), 5);
    },
  );
});

test("linear probing puts half of a two-class fit into each answer's row, of the strongest penalty among equals", async () => {
  // One feature tells the classes apart, so every penalty is right on all rows and the strongest is chosen. Each class's row r obeys
  // scale · r = n · C · scale² / (1 + exp(2 · scale · r)); this scale makes it ln(3) / 2, and half of the two rows' difference too.
  const [n, C] = [5, 1e-4];
  const model = scripted(SCRIPT, { scale: sqrt((2 * log(3)) / (n * C)) });
  const train = Array.from({ length: 2 * n }, (_, i) => asked(i % 2 ? "bad" : "good", i % 2));
  const test = [asked("good", 0), asked("bad", 1), asked("good", 1, 0), asked("bad", 0)];
  const run = await probe(model, taskOf(test, { train }));
  expect(run.header.options.C).toBeCloseTo(C, 12);
  const loss = (2 * log(1 + 1 / sqrt(3)) + 2 * log(1 + sqrt(3))) / 4;
  expectScore(run.scores[0], { score: 3 / 4, standardError: sqrt(3 / 64), loss });
  // MeZO from there begins with these rows.
  const settings = { ...setting, batchSize: 2 * n, steps: 1, from: run };
  const { steps } = await tune(model, taskOf(test, { train }), mezo({ lr: 0, eps: 1e-7 }), settings);
  for (const found of steps[0]!.losses) expect(found).toBeCloseTo(log(1 + 1 / sqrt(3)), 5);
});

describe("the cost of a run", () => {
  // A token takes 5 · 18 numbers of the table's width and 2 · 18 of keys and values, in four bytes each.
  const bytesOf = (tokens: number): number => 4 * 126 * tokens;
  const long = (words: number): Example => example(`${"a ".repeat(words)}it was good`, YES_NO, 0);

  test("says its steps, and predicts the widest pass of training or of scoring", async () => {
    const model = scripted();
    const tuned = async (task: Task): Promise<Run> =>
      tune(model, task, mezo({ lr: 0 }), { ...setting, steps: 3, microBatchSize: 2 });
    // 24 tokens each with the begin token; two examples at once, on both sides.
    const training = await tuned(taskOf([asked("good", 0)], { train: [long(20), long(20), long(20), long(20)] }));
    expect(training.cost).toMatchObject({ steps: 3, predicted: { activations: 2 * bytesOf(2 * 24) } });
    const scoring = await tuned(taskOf([asked("good", 0)], { dev: [long(60), long(40)] }));
    expect(scoring.cost.predicted).toMatchObject({ activations: bytesOf(64 + 44) });
  });

  test("is in seconds", () => {
    const parts = { weights: 0, activations: 0, temporaries: 0, gradients: 0, optimizer: 0 };
    const { seconds } = costOf(performance.now() - 2000, 0, [parts]);
    expect(seconds).toBeGreaterThanOrEqual(2);
    expect(seconds).toBeLessThan(1000);
  });
});

test("the majority class is that of the training part, scored on the test part", () => {
  const task = taskOf([asked("good", 0), asked("good", 1, 0), asked("bad", 1), asked("bad", 0)], {
    train: [asked("odd", 0), asked("odd", 0), asked("odd", 1)],
  });
  const { header, scores } = evaluateMajority(task, 3);
  expect(header).toMatchObject({ method: "Majority", model: "none", seed: 3, options: { label: 0 } });
  expectScore(scores[0], { score: 3 / 4, standardError: sqrt(3 / 64), n: 4 });
});
