import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { jobsOf } from "../../src/cli/job.ts";
import { parseOptions } from "../../src/cli/options.ts";

describe("options", () => {
  test("without any are those of the bundled model: every method once", () => {
    const options = parseOptions([]);
    expect(options).toMatchObject({
      steps: 2000,
      lr: 1e-4,
      schedule: "constant",
      eps: 1e-3,
      batchSize: 16,
      seeds: [1],
    });
    expect(options.methods).toEqual(["Majority", "Zero-shot", "ICL", "MeZO"]);
  });

  test("of a smoke run are small, but what is given counts", () => {
    expect(parseOptions(["--smoke"])).toMatchObject({ steps: 20, train: 64 });
    expect(parseOptions(["--smoke", "--steps", "3"])).toMatchObject({ steps: 3, train: 64 });
  });

  test.each([
    ["a seed twice", ["--seeds", "1,1"], /1 is there twice: name each once/],
    ["an empty seed", ["--seeds", "1,"], /--seeds.*whole number of at least 0/],
    ["a seed too large to be exact", ["--seeds", "9007199254740993"], /--seeds.*whole number/],
    ["a method twice", ["--method", "mezo,icl,MEZO"], /MeZO is there twice: name each once/],
    ["a blank number", ["--steps", " "], /--steps.*whole number of at least 1/],
    ["a rate below 0", ["--lr", "-1"], /--lr.*at least 0/],
    ["a rate without end", ["--lr", "1e400"], /--lr.*must be a number/],
  ])("refuse %s in one sentence", (_what, argv, message) => {
    expect(() => parseOptions(argv)).toThrow(message);
    expect(() => parseOptions(argv)).toThrow(/^[^\n]*$/);
  });
});

describe("the runs of a command", () => {
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
