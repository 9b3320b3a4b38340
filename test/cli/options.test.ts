import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { parseOptions } from "../../src/cli/options.ts";
import { methods, settingsOf } from "../../src/measure/methods.ts";
import { planOf, taskOf } from "../../src/measure/plan.ts";
import type { CliOptions } from "../../src/measure/request.ts";

describe("options", () => {
  test("without any are those of the bundled model: every method once", () => {
    const options = parseOptions([]);
    expect(options).toMatchObject({ schedule: "constant", seeds: [1], tasks: ["SST-2"] });
    expect(options.methods).toEqual(methods);
    const bundled = { id: "opt-reviews", prompts: "autoregressive" } as const;
    expect(settingsOf(options, bundled, "MeZO")).toEqual({ lr: 1e-4, eps: 1e-3, steps: 2000, batchSize: 16 });
  });

  test("of a smoke run are small, but what is given counts", () => {
    expect(parseOptions(["--smoke"])).toMatchObject({ steps: { all: 20 }, train: 64 });
    expect(parseOptions(["--smoke", "--steps", "3"])).toMatchObject({ steps: { all: 3 }, train: 64 });
  });

  test("of training hold for all methods, or for those that they name; for others the paper's grids stand", () => {
    const model = { id: "facebook/opt-125m", prompts: "autoregressive" } as const;
    const options = parseOptions(["--lr", "mezo-lora=2e-5,FT=3e-5", "--steps", "7"]);
    expect(settingsOf(options, model, "MeZO (LoRA)")).toMatchObject({ lr: 2e-5, eps: 1e-2, steps: 7 });
    expect(settingsOf(options, model, "FT")).toMatchObject({ lr: 3e-5, steps: 7, batchSize: 8 });
    expect(settingsOf(options, model, "MeZO")).toMatchObject({ lr: 1e-6, eps: 1e-3, batchSize: 16 });
    expect(settingsOf(parseOptions([]), { ...model, prompts: "masked" }, "MeZO")).toMatchObject({ steps: 100_000 });
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
    expect(() => parseOptions(argv)).toThrow(message);
    expect(() => parseOptions(argv)).toThrow(/^[^\n]*$/);
  });
});

const jobsOf = (options: CliOptions): ReturnType<typeof planOf>["jobs"] =>
  planOf(options, ["SST-2"], () => undefined).jobs;

test("k takes the place of the sizes of train and dev, in a smoke run too, whose few steps hold where none are named", async () => {
  const options = parseOptions(["--smoke", "--k", "2", "--steps", "mezo=50"]);
  expect(options).toMatchObject({ k: 2, steps: { all: 20, MeZO: 50 } });
  expect([options.train, options.dev]).toEqual([undefined, undefined]);
  const task = await taskOf({ task: "TREC", seed: 13, options: { ...options, data: "samples" } });
  expect([task.train.length, task.dev.length]).toEqual([12, 12]);
});

describe("the runs of a command", () => {
  test("leave out what cannot be, with the reason", () => {
    const { jobs, omissions } = planOf(parseOptions(["--method", "icl,mezo-lora"]), ["TREC"], (method) =>
      method === "ICL" ? "it cannot be" : undefined,
    );
    expect(omissions).toEqual([{ task: "TREC", method: "ICL", reason: "it cannot be" }]);
    expect(jobs.map(({ file }) => basename(file))).toEqual(["trec-opt-reviews-mezo-lora-seed1.jsonl"]);
  });

  test("with weights in 16 bits have files of their own", () => {
    const [job] = jobsOf(parseOptions(["--method", "mezo", "--weights", "bfloat16"]));
    expect(basename(job!.file)).toBe("sst-2-opt-reviews-bfloat16-mezo-seed1.jsonl");
  });

  test("are one a method and seed, in files of their own", () => {
    const files = jobsOf(parseOptions(["--method", "icl,mezo", "--seeds", "1,2"])).map(({ file }) => basename(file));
    expect(files).toEqual(
      [1, 2]
        .map((s) => `sst-2-opt-reviews-icl-seed${s}.jsonl`)
        .concat([1, 2].map((s) => `sst-2-opt-reviews-mezo-seed${s}.jsonl`)),
    );
  });

  test.each(["facebook/opt-125m", "some/where/opt-125m/", "./opt-125m/."])(
    "of the model %s are named opt-125m",
    (model) => {
      const [job] = jobsOf(parseOptions(["--method", "mezo", "--model", model]));
      expect(basename(job!.file)).toBe("sst-2-opt-125m-mezo-seed1.jsonl");
    },
  );
});
