import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { KitError } from "../../src/error.ts";
import { makeRequest } from "../../src/measure/makeRequest.ts";
import { methodNames, trainingMethods } from "../../src/measure/methods.ts";
import { drawTask, planJobs } from "../../src/measure/plan.ts";
import type { MeasureRequest } from "../../src/measure/request.ts";
import { chooseSettings, type Settings } from "../../src/measure/runMethod.ts";
import { findTask } from "../../src/tasks/index.ts";
import { requestFrom } from "./request.ts";

const settings = (request: MeasureRequest, model: Parameters<typeof chooseSettings>[1], method: string): Settings =>
  chooseSettings(request, model, trainingMethods.find(({ name }) => name === method)!);

describe("options", () => {
  test("without any are those of the bundled model: every method once", () => {
    const options = requestFrom([]);
    expect(options).toMatchObject({ schedule: "constant", seeds: [1], tasks: ["SST-2"] });
    const since = ["FZOO", "Evolution strategies", "LOZO", "LOZO-momentum", "Sparse-MeZO", "ConMeZO"];
    const isOption = (name: string): boolean => name.endsWith("(calibrated)") || since.includes(name);
    expect(options.methods).toEqual(methodNames.filter((name) => !isOption(name)));
    expect(requestFrom(["--method", "fzoo,evolution-strategies"]).methods).toEqual(["FZOO", "Evolution strategies"]);
    expect(requestFrom(["--method", "zero-shot-calibrated,icl-calibrated"]).methods).toEqual([
      "Zero-shot (calibrated)",
      "ICL (calibrated)",
    ]);
    const bundled = { id: "opt-reviews", prompts: "autoregressive" } as const;
    expect(settings(options, bundled, "MeZO")).toEqual({ lr: 5e-5, eps: 1e-3, steps: 2000, batchSize: 16 });
  });

  test("of a smoke run are small, but what is given counts", () => {
    expect(requestFrom(["--smoke"])).toMatchObject({ steps: { all: 20 }, train: 64 });
    expect(requestFrom(["--smoke", "--steps", "3"])).toMatchObject({ steps: { all: 3 }, train: 64 });
  });

  test("of training hold for all methods, or for those that they name; for others the paper's grids stand", () => {
    const model = { id: "facebook/opt-125m", prompts: "autoregressive" } as const;
    const options = requestFrom(["--lr", "mezo-lora=2e-5,FT=3e-5", "--steps", "7"]);
    expect(settings(options, model, "MeZO (LoRA)")).toMatchObject({ lr: 2e-5, eps: 1e-2, steps: 7 });
    expect(settings(options, model, "FT")).toMatchObject({ lr: 3e-5, steps: 7, batchSize: 8 });
    expect(settings(options, model, "MeZO")).toMatchObject({ lr: 1e-6, eps: 1e-3, batchSize: 16 });
    expect(settings(requestFrom([]), { ...model, prompts: "masked" }, "MeZO")).toMatchObject({ steps: 100_000 });
  });

  test("name a model's revision in its id or beside it, and the runs' files tell revisions apart", () => {
    const nameOf = (...argv: string[]) => {
      const request = requestFrom(["--task", "CB", "--method", "ICL", ...argv]);
      return basename(planJobs(request, [findTask("CB")], "autoregressive").jobs[0]!.file);
    };
    expect(requestFrom(["--revision", "refs/pr/7"])).toMatchObject({ revision: "refs/pr/7" });
    expect(nameOf("--model", "facebook/opt-125m")).toBe("cb-opt-125m-icl-seed1.jsonl");
    expect(nameOf("--model", "facebook/opt-125m", "--revision", "refs/pr/7")).toBe(
      "cb-opt-125m@refs-pr-7-icl-seed1.jsonl",
    );
    expect(nameOf("--model", "facebook/opt-125m@refs/pr/7")).toBe("cb-opt-125m@refs-pr-7-icl-seed1.jsonl");
  });

  test.each([
    ["a rate for a method that is none", ["--lr", "sgd=1"], /sgd is no method: name Majority/],
    ["a seed twice", ["--seeds", "1,1"], /1 is there twice: name each once/],
    ["an empty seed", ["--seeds", "1,"], /--seeds.*whole number of at least 0/],
    ["a seed too large to be exact", ["--seeds", "9007199254740993"], /--seeds.*whole number/],
    ["a method twice", ["--method", "mezo,icl,MEZO"], /MeZO is there twice: name each once/],
    ["a blank number", ["--steps", " "], /--steps.*whole number of at least 1/],
    ["a rate below 0", ["--lr", "-1"], /--lr.*at least 0/],
    ["a format that is none", ["--weights", "int8"], /--weights.*float32, float16, bfloat16/],
    ["a rate without end", ["--lr", "1e400"], /--lr.*must be a number/],
  ])("refuse %s in one sentence", (_what, argv, message) => {
    expect(() => requestFrom(argv)).toThrow(message);
    expect(() => requestFrom(argv)).toThrow(/^[^\n]*$/);
  });
});

describe("options of LoRA, prefixes and looks", () => {
  const adapterOf = (method: string, ...argv: string[]): object | undefined =>
    trainingMethods.find(({ name }) => name === method)?.adapter?.(requestFrom(argv)).options;

  test("reach the adapters, whose own values stand where nothing is said", () => {
    expect(adapterOf("MeZO (LoRA)")).toEqual({ rank: 8, alpha: 16 });
    const lora = ["--rank", "4", "--alpha", "2.5", "--targets", "q_proj,fc1", "--rslora"];
    expect(adapterOf("FT (LoRA)", ...lora)).toEqual({
      ...{ rank: 4, alpha: 2.5, targets: "q_proj,fc1", rslora: true },
    });
    expect(adapterOf("MeZO (prefix)", "--prefix-length", "2", "--prefix-init", "random")).toEqual({
      ...{ length: 2, init: "random" },
    });
  });

  test("make the request of a cell", () => {
    const argv = ["--maximize", "exact-match", "--evaluate-every", "5", "--micro-batch-size", "2", "--split-seed", "0"];
    const cell = { maximize: "exact-match", evaluateEvery: 5, microBatchSize: 2, splitSeed: 0 } as const;
    expect(requestFrom(argv)).toEqual(makeRequest(cell));
    expect(requestFrom(argv)).toMatchObject(cell);
  });

  test("leave out what has no gradient, and an accuracy that no answer can lack", () => {
    const plan = (task: string, ...argv: string[]): readonly string[] =>
      planJobs(requestFrom(argv), [findTask(task)], "autoregressive").omissions.map(
        ({ method, reason }) => `${method}: ${reason}`,
      );
    expect(plan("SST-2", "--maximize", "accuracy", "--method", "lp,ft,mezo")).toEqual([
      "FT: it needs a gradient, and accuracy has none",
    ]);
    expect(plan("SQuAD", "--maximize", "accuracy", "--method", "zero-shot,mezo")).toEqual([
      "MeZO: its answers are written out: maximize f1",
    ]);
  });

  test("name runs of one split by it", () => {
    const [job] = jobsOf(requestFrom(["--method", "mezo", "--split-seed", "5", "--seeds", "2"]));
    expect(basename(job!.file)).toBe("sst-2-opt-reviews-mezo-split5-seed2.jsonl");
  });

  test.each([
    ["an unknown measure", ["--maximize", "recall"], /--maximize.*accuracy, f1, exact-match/],
    ["a rank of 0", ["--rank", "0"], /--rank.*whole number of at least 1/],
    ["an alpha of 0", ["--alpha", "0"], /--alpha.*number above 0/],
    ["an unknown start", ["--prefix-init", "zeros"], /--prefix-init.*activations, random/],
  ])("refuse %s in one sentence", (_what, argv, message) => {
    expect(() => requestFrom(argv)).toThrow(message);
  });
});

describe("a cell's options", () => {
  test("make the very request that a command line makes", () => {
    const argv = [
      "--task",
      "CB",
      "--method",
      "mezo,ft-lora",
      "--batch-size",
      "8",
      "--lr",
      "mezo=1e-4",
      "--checkpointing",
    ];
    const cell = {
      ...{ task: "CB", methods: ["MeZO", "FT (LoRA)"], batchSize: 8, lr: { mezo: 1e-4 }, checkpointing: true },
    };
    expect(makeRequest(cell)).toEqual(requestFrom(argv));
    expect(makeRequest({ smoke: true, k: 2 })).toEqual(requestFrom(["--smoke", "--k", "2"]));
    expect(makeRequest({})).toEqual(requestFrom([]));
  });

  test.each([
    ["a name that is none", { stepz: 3 }, "stepz is no option of what to measure: did you mean steps."],
    ["a number that is none", { batchSize: 0.5 }, "batchSize is 0.5: it must be a whole number of at least 1."],
    ["a method that is none", { methods: ["sgd"] }, /^methods is \["sgd"\]: methods are Majority, /],
    ["a rate for a method that is none", { lr: { sgd: 1 } }, /^lr is \{"sgd":1\}: sgd is no method: name Majority, /],
    ["a choice that is none", { noise: "laplace" }, 'noise is "laplace": it must be one of gaussian, rademacher.'],
    ["a seed twice", { seeds: [1, 1] }, "seeds is [1,1]: 1 is there twice: name each once."],
  ])("with %s are refused by the option's name", (_what, options, sentence) => {
    expect(() => makeRequest(options as object)).toThrow(KitError);
    expect(() => makeRequest(options as object)).toThrow(sentence);
  });
});

const jobsOf = (request: MeasureRequest): ReturnType<typeof planJobs>["jobs"] =>
  planJobs(request, [findTask("SST-2")], "autoregressive").jobs;

test("k takes the place of the sizes of train and dev, in a smoke run too, whose few steps hold where none are named", async () => {
  const options = requestFrom(["--smoke", "--k", "2", "--steps", "mezo=50"]);
  expect(options).toMatchObject({ k: 2, steps: { all: 20, MeZO: 50 } });
  expect([options.train, options.dev]).toEqual([undefined, undefined]);
  const task = await drawTask({ task: "TREC", seed: 13, request: { ...options, data: "samples" } });
  expect([task.train.length, task.dev.length]).toEqual([12, 12]);
});

describe("the runs of a command", () => {
  test("leave out what cannot be, with the reason", () => {
    const { jobs, omissions } = planJobs(requestFrom(["--method", "icl,mezo-lora"]), [findTask("TREC")], "masked");
    const reason = "the paper learns in context with autoregressive models only";
    expect(omissions).toEqual([{ task: "TREC", method: "ICL", reason }]);
    expect(jobs.map(({ file }) => basename(file))).toEqual(["trec-opt-reviews-mezo-lora-seed1.jsonl"]);
  });

  test("with weights in 16 bits have files of their own", () => {
    const [job] = jobsOf(requestFrom(["--method", "mezo", "--weights", "bfloat16"]));
    expect(basename(job!.file)).toBe("sst-2-opt-reviews-bfloat16-mezo-seed1.jsonl");
  });

  test("are one a method and seed, in files of their own", () => {
    const files = jobsOf(requestFrom(["--method", "icl,mezo", "--seeds", "1,2"])).map(({ file }) => basename(file));
    expect(files).toEqual(
      [1, 2]
        .map((s) => `sst-2-opt-reviews-icl-seed${s}.jsonl`)
        .concat([1, 2].map((s) => `sst-2-opt-reviews-mezo-seed${s}.jsonl`)),
    );
  });

  test.each(["facebook/opt-125m", "some/where/opt-125m/", "./opt-125m/."])(
    "of the model %s are named opt-125m",
    (model) => {
      const [job] = jobsOf(requestFrom(["--method", "mezo", "--model", model]));
      expect(basename(job!.file)).toBe("sst-2-opt-125m-mezo-seed1.jsonl");
    },
  );
});
