import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { command, folder } from "../cli/mezo.ts";
import { median } from "./median.ts";
import { parseBenchOptions } from "./options.ts";
import { writeResults } from "./results.ts";
import { peaksToMezo, rowsOf } from "./row.ts";

describe("npm run bench", () => {
  test.each([
    ["a number of rows that is none", ["--rows", "0"], /--rows.*whole number from 1 on/],
    ["a row that is all answer", ["--tokens", "1"], /--tokens.*whole number from 2 on/],
    ["a model that it does not have", ["--model", "bert"], /--model.*opt-125m, bundled/],
    ["a loss that it does not have", ["--loss", "mean"], /--loss.*answer, candidates/],
  ])("refuses %s in one sentence and writes nothing", (_what, args, sentence) => {
    const { status, stderr, cwd } = command("bench/main", args);
    expect(status).toBe(1);
    expect(stderr.trim()).toMatch(sentence);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(existsSync(join(cwd, "data"))).toBe(false);
  });

  test("takes methods by name whatever their punctuation", () => {
    const { cases } = parseBenchOptions(["--model", "bundled", "--method", "ft-adam-checkpointing,mezo-lora"]);
    expect(cases.map(({ method }) => method)).toEqual(["FT (Adam, checkpointing)", "MeZO (LoRA)"]);
  });
});

describe("what follows from the measurements", () => {
  const request = {
    rows: 4,
    tokens: 10,
    steps: 1,
    threads: 1,
    noise: "rademacher",
    loss: "answer",
    weights: "float32",
  } as const;
  const measured = (method: string, stepSeconds: number, peakBytes: number) => ({
    request: { ...request, model: "bundled", method },
    result: {
      ...{ stepSeconds, passSeconds: stepSeconds / 2, noiseSeconds: stepSeconds / 4, inGraphs: 0.5, samples: [] },
      ...({
        flops: 6e9,
        attentionFlops: 1e9,
        products: "float32",
        productSeconds: 0.1,
        attentionSeconds: 0.05,
      } as const),
      ...{ trained: 1e8, weights: 1e8, weightBytes: 4e8, peakBytes },
    },
  });
  const ceilings = { gemm: 60e9, gaussian: 1e8, rademacher: 1e9, copied: 1e10 };
  const all = [measured("Zero-shot", 0.2, 100), measured("MeZO", 0.5, 110), measured("FT (Adam)", 2, 550)];
  const rows = rowsOf(all, ceilings);

  test("are rates of the passes, tokens by the step, and ratios to inference", () => {
    expect(rows[1]).toMatchObject({ gflops: 24, ofCeiling: 0.4, tokensPerSecond: 80 });
    expect(rows[1]!.timeToInference).toBeCloseTo(2.5, 12);
    expect(rows[2]!.memoryToInference).toBeCloseTo(5.5, 12);
  });

  test("and of MeZO the time at the ceilings: 6 of 60 GFLOPS, and 0.2 of 1 billion signs", () => {
    expect(rows[1]!.limitSeconds).toBeCloseTo(0.1 + 0.2, 12);
    expect(rows[1]!.stepToLimit).toBeCloseTo(0.5 / 0.3, 12);
    expect(rows[0]).not.toHaveProperty("stepToLimit");
    expect(rows[2]).not.toHaveProperty("stepToLimit");
  });

  test("and fine-tuning's peak over MeZO's", () => {
    expect(peaksToMezo(rows)).toEqual({ "FT (Adam)": 5 });
    expect(peaksToMezo(rows.slice(2))).toEqual({});
  });
});

test("results that cannot be written are told of in one sentence", () => {
  const place = join(folder(), "taken");
  writeFileSync(place, "");
  expect(() => writeResults(place, "bench.json", {})).toThrow(
    /bench\.json.*cannot be \(EEXIST\): name another --output\./,
  );
});

test("the median is the value in the middle, whatever the order, and leaves the list as it was", () => {
  const values = [30, 4, 100];
  expect(median(values)).toBe(30);
  expect(values).toEqual([30, 4, 100]);
});
