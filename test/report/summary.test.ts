import { expect, test } from "vitest";
import { KitError } from "../../src/error.ts";
import type { Run, RunHeader } from "../../src/record/run.ts";
import { headline, summarize } from "../../src/report/summary.ts";
import { madeUpRun, oneSeed, twoSeeds } from "./runs.ts";

test("one run keeps its last test score and its binomial error", () => {
  const summary = summarize(oneSeed).find(({ method }) => method === "MeZO")!;
  expect(summary).toMatchObject({ score: 0.9, seeds: [0], n: [1000, 1000], steps: 1500, seconds: 121.44 });
  expect(summary.standardError).toBeCloseTo(0.009487, 6);
  expect(summary.peakBytes).toBe(431 * 1024 * 1024);
});

test("several seeds give their mean and the standard error of that mean", () => {
  const [summary] = summarize(twoSeeds);
  expect(summary!.score).toBeCloseTo(0.85, 12);
  // Deviations of ±0.05: variance 0.005 with n − 1, over two runs 0.0025, its root 0.05.
  expect(summary!.standardError).toBeCloseTo(0.05, 12);
  expect(summary).toMatchObject({ seconds: 15, peakBytes: 410 * 1024 * 1024, seeds: [0, 1] });
});

test("test rows are told as the fewest and the most of a method's runs", () => {
  const [one, other] = twoSeeds as [Run, Run];
  const fewer = { ...other, scores: other.scores.map((score) => ({ ...score, n: 900 })) };
  expect(summarize([one, fewer])[0]!.n).toEqual([900, 1000]);
});

test("what the peak was predicted to be is a mean over all runs, and absent where one does not say", () => {
  const [one, other] = twoSeeds as [Run, Run];
  const parts = { weights: 300, activations: 0, temporaries: 0, gradients: 0, optimizer: 0, runtime: 100 };
  const telling = (run: Run, weights: number): Run => ({
    ...run,
    cost: { ...run.cost, predicted: { ...parts, weights } },
  });
  expect(summarize([telling(one, 300), telling(other, 400)])[0]!.predictedBytes).toBe(450);
  expect(summarize([telling(one, 300), other])[0]).not.toHaveProperty("predictedBytes");
});

test("methods come in the order of the paper's table, others after them", () => {
  const adam = madeUpRun("MeZO-Adam", 0.7);
  expect(summarize([adam, ...oneSeed]).map(({ method }) => method)).toEqual([
    ...["Majority", "Zero-shot", "ICL", "MeZO", "MeZO-Adam"],
  ]);
  expect(summarize(oneSeed).map(({ method }) => method)).toEqual(["Majority", "Zero-shot", "ICL", "MeZO"]);
});

test("runs that do not belong in one report are refused", () => {
  expect(() => summarize([])).toThrow("A report was asked for without any run; give at least one.");
  const run = madeUpRun("MeZO", 0.9);
  expect(() => summarize([{ ...run, scores: run.scores.slice(2) }])).toThrow(
    "The run of MeZO with seed 0 has no test score; run it to its end.",
  );
});

test("runs on the authors' K-shot folders, whose rows are others for each seed, are averaged", () => {
  const of = (files: readonly string[], sha256: string, seed: number): Run => {
    const run = madeUpRun("MeZO", 0.8, { seed });
    return { ...run, header: { ...run.header, data: { files, sha256 } } };
  };
  const shots = (folder: string, test = "test.tsv") => [`${folder}/train.tsv`, `${folder}/${test}`];
  const one = of(shots("16-13"), "aa", 13);
  expect(summarize([one, of(shots("16-21"), "bb", 21)])[0]!.seeds).toEqual([13, 21]);
  expect(() => summarize([one, of(shots("16-21", "test_mismatched.tsv"), "bb", 21)])).toThrow("same data");
  expect(() => summarize([one, of(shots("512-21"), "bb", 21)])).toThrow("same data");
});

test.each<[string, Partial<RunHeader>, string, string]>([
  [
    "tasks",
    { task: "RTE" },
    "ICL",
    "A report needs runs of the same task, but these have SST-2 and RTE; report them apart.",
  ],
  [
    "data",
    { data: { files: ["b.tsv"], sha256: "1" } },
    "ICL",
    "A report needs runs of the same data, but these have rows.tsv, sha256 0 and b.tsv, sha256 1; report them apart.",
  ],
  [
    "models",
    { model: "b" },
    "ICL",
    "A report needs runs of the same model, but these have tiny and b; report them apart.",
  ],
  [
    "weights",
    { weightsHash: "1" },
    "ICL",
    "A report needs runs of the same weightsHash, but these have 0 and 1; report them apart.",
  ],
  [
    "formats of the weights",
    { weights: { format: "float16", rounding: "stochastic" } },
    "ICL",
    "A report needs runs of the same weights, but these have none and float16, stochastic rounding; report them apart.",
  ],
  [
    "versions of the kit",
    { kit: "0.2.0" },
    "MeZO",
    "The MeZO runs can only be averaged with the same kit, but they have 0.1.0 and 0.2.0; report them apart.",
  ],
  [
    "sizes",
    { split: { train: 16, dev: 500, test: 1000 } },
    "MeZO",
    "The MeZO runs can only be averaged with the same split.train, but they have 1000 and 16; report them apart.",
  ],
  [
    "options",
    { tuner: { name: "MeZO", options: { lr: 1e-4 } } },
    "MeZO",
    "The MeZO runs can only be averaged with the same tuner.options.lr, but they have 0.001 and 0.0001; report them apart.",
  ],
])("runs of different %s are refused by the field's name", (_, changed, method, sentence) => {
  const tuner = { name: "MeZO", options: { lr: 1e-3 } };
  const tuned = (one: Run): Run => ({ ...one, header: { ...one.header, tuner } });
  const [run, other] = [tuned(madeUpRun("MeZO", 0.9)), tuned(madeUpRun(method, 0.8, { seed: 1 }))];
  expect(summarize([run, other])).not.toHaveLength(0);
  expect(() => summarize([run, { ...other, header: { ...other.header, ...changed } }])).toThrow(new KitError(sentence));
});

test("methods may differ in their options, and majority classes in the label that their rows gave", () => {
  const withSettings = (method: string, seed: number, settings: RunHeader["settings"]): Run => {
    const run = madeUpRun(method, 0.5, { seed });
    return { ...run, header: { ...run.header, settings } };
  };
  const runs = [
    withSettings("MeZO", 0, { steps: 4 }),
    withSettings("ICL", 0, { shots: 32 }),
    withSettings("Majority", 0, { label: 0 }),
    withSettings("Majority", 1, { label: 1 }),
  ];
  expect(summarize(runs).map(({ seeds }) => seeds)).toEqual([[0, 1], [0], [0]]);
});

test("the majority class, which uses no model, stands beside any", () => {
  const majority = {
    ...oneSeed[0]!,
    header: { ...oneSeed[0]!.header, method: "Majority" as const, model: "none", weightsHash: "none" },
  };
  const others = oneSeed.filter(({ header }) => header.method !== "Majority");
  expect(summarize([majority, ...others]).map(({ method }) => method)).toEqual([
    "Majority",
    "Zero-shot",
    "ICL",
    "MeZO",
  ]);
  expect(headline([majority, ...others]).model).toBe(others[0]!.header.model);
});

test("LP's runs are averaged although cross-validation chose another strength for each seed", () => {
  const withC = (seed: number, C: number): Run => {
    const run = madeUpRun("LP", 0.8, { seed });
    return { ...run, header: { ...run.header, settings: { begin: "mezo", C } } };
  };
  expect(summarize([withC(1, 0.1), withC(2, 1)])[0]!.seeds).toEqual([1, 2]);
});
