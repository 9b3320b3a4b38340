import { describe, expect, test } from "vitest";
import { diff, partingText } from "../../src/record/diff.ts";
import type { Run, Score, UnfinishedRun } from "../../src/record/run.ts";
import { cut } from "../../src/record/steps.ts";
import { run, score, step } from "./sampleRun.ts";

/** A run without steps, as in-context learning's: a test score alone. */
const { tuner: _, passes: _passes, ...plain } = run.header;
const scored = (test: Partial<Score>): Run => ({
  ...run,
  header: { ...plain, method: "ICL" },
  steps: [],
  scores: [{ ...score("test", 0), loss: 0.625, ...test }],
});

const text = (a: UnfinishedRun, b: UnfinishedRun): string => partingText(diff(a, b)!);

describe("where two runs part", () => {
  test("is nowhere for the same run, whatever machine and time it took", () => {
    expect(diff(run, run)).toBeUndefined();
    const elsewhere = {
      ...run,
      header: { ...run.header, threads: 8, backend: "wasm", products: "float32", processor: "amx" } as const,
      cost: { ...run.cost, seconds: 9 },
    };
    expect(diff(run, elsewhere)).toBeUndefined();
    expect(diff(scored({}), scored({}))).toBeUndefined();
  });

  test("is nowhere for rows of the same content, whatever their files and commit, and at the first for another model's commit", () => {
    const { data } = run.header;
    const fromHub = { ...data, files: ["hf:org/tiny/train.csv"], revision: "0".repeat(40) };
    expect(diff(run, { ...run, header: { ...run.header, data: fromHub } })).toBeUndefined();
    const [one, other] = ["1", "2"].map((digit) => ({ ...run, header: { ...run.header, revision: digit.repeat(40) } }));
    expect(diff(one!, other!)).toMatchObject({ step: 0, what: "revision" });
  });

  test.each<[Partial<Score>, string, string]>([
    [{ loss: 0.7 }, "test loss", "test loss is 0.625 in one and 0.7 in the other"],
    [{ score: 0.5 }, "test score", "test score is 0.75 in one and 0.5 in the other"],
    [{ n: 13 }, "test n", "test n is 12 in one and 13 in the other"],
    [{ exactMatch: 0.5 }, "test exactMatch", "test exactMatch is absent in one and 0.5 in the other"],
    [{ theta: "0".repeat(16) }, "test theta", 'test theta is absent in one and "0000000000000000" in the other'],
  ])("is a score that differs by %o, though there is no step", (change, what, sentence) => {
    expect(diff(scored({}), scored(change))).toMatchObject({ step: 0, what });
    expect(text(scored({}), scored(change))).toBe(sentence);
  });

  test("is a score that one of them lacks", () => {
    expect(diff(scored({}), { ...scored({}), scores: [] })).toEqual({
      step: 0,
      what: "test score",
      one: 0.75,
      other: undefined,
    });
  });

  test("is the first of setting, loss, estimate and score that differs", () => {
    const dev = (at: number): Run => ({
      ...run,
      scores: run.scores.map((each) => (each.on === "dev" && each.step === at ? { ...each, score: 0.5 } : each)),
    });
    const loss = (at: number): Run => ({
      ...run,
      steps: run.steps.map((each) => (each.step === at ? { ...each, losses: [1, 2] } : each)),
    });
    const grad: Run = {
      ...run,
      steps: run.steps.map((each) => (each.step === 1 ? { ...each, projectedGrad: 7 } : each)),
    };
    expect(diff(run, { ...loss(0), header: { ...run.header, seed: 2 } })).toEqual({
      step: 0,
      what: "seed",
      one: 1,
      other: 2,
    });
    expect(diff(run, dev(2))).toEqual({ step: 2, what: "dev score", one: 0.75, other: 0.5 });
    expect(diff(run, { ...dev(2), steps: loss(2).steps })).toMatchObject({ step: 2, what: "dev score" });
    expect(diff(run, { ...dev(2), steps: loss(1).steps })).toMatchObject({ step: 1, what: "losses" });
    expect(diff(run, grad)).toEqual({ step: 1, what: "projectedGrad", one: run.steps[1]!.projectedGrad, other: 7 });
    expect(text(run, loss(1))).toMatch(/^the losses of step 1 are 0\.\d+ and 0\.\d+ in one and 1 and 2 in the other$/);
  });

  test("is the end of one that was cut short, whether or not its last score was made", () => {
    const short = cut(run, 2);
    const lacking = { ...short, scores: short.scores.filter((each) => each.step < 2) };
    for (const other of [short, lacking]) {
      expect(diff(run, other)).toEqual({ step: 2, what: "steps", one: 3, other: 2 });
      expect(text(other, run)).toBe("one ends after 2 steps, the other after 3");
    }
  });

  test("is where one is a fork of the other, or both are of the same", () => {
    const fork = (at: number, lr: number): UnfinishedRun => ({
      header: { ...run.header, tuner: { name: "MeZO", options: { ...run.header.tuner!.options, lr } } },
      ...{ steps: [step(at)], scores: [], before: cut(run, at) },
    });
    expect(text(run, fork(2, 1e-5))).toBe("one ends, the other continues as a fork (seed 1, lr 0.00001)");
    expect(text(fork(2, 1e-5), run)).toBe("one continues as a fork (seed 1, lr 0.00001), the other ends");
    expect(diff(run, fork(2, 1e-5))).toMatchObject({ step: 2 });
    expect(text(fork(2, 1e-5), fork(2, 1e-4))).toBe("tuner.options.lr is 0.00001 in one and 0.0001 in the other");
    expect(diff(fork(1, 1e-5), fork(2, 1e-5))).toMatchObject({ step: 1, what: "steps" });
  });

  test("is told shortly, however long the values are", () => {
    const long = (letter: string): Run => ({ ...run, header: { ...run.header, model: letter.repeat(1e6) } });
    expect(text(long("a"), long("b\n"))).toMatch(/^model is "a+… in one and "(b\\n)+b?\\?… in the other$/);
    expect(text(long("a"), long("b\n")).length).toBeLessThan(300);
  });
});
