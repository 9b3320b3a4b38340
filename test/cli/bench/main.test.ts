import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { median } from "../../../src/cli/bench/median.ts";
import { parseBenchOptions } from "../../../src/cli/bench/options.ts";
import { writeResults } from "../../../src/cli/bench/results.ts";
import { peaksToMezo, rowsOf } from "../../../src/cli/bench/row.ts";
import { command, folder } from "../mezo.ts";

const METHODS = [
  "Zero-shot",
  "MeZO",
  "MeZO (sweeps)",
  "MeZO (LoRA)",
  "MeZO (prefix)",
  "FT (Adam)",
  "FT (Adam, checkpointing)",
];

describe("npm run bench", () => {
  test("measures every method, prints a table and writes the numbers", () => {
    const { status, stdout, stderr, cwd } = command("bench/main", ["--smoke", "--threads", "1", "--output", "results"]);
    expect(stderr).not.toContain("Error");
    expect(status).toBe(0);
    for (const method of METHODS) expect(stdout).toContain(`│ ${method} `);
    expect(stdout).toMatch(/Ceilings: \d+ GFLOPS/);
    expect(stdout).toContain("A smoke run");
    const { rows, ceilings } = JSON.parse(readFileSync(join(cwd, "results", "bench-2x8-1threads.json"), "utf8"));
    expect(rows.map(({ method }: { method: string }) => method)).toEqual(METHODS);
    const common = ["stepSeconds", "passSeconds", "flops", "peakBytes", "gflops", "ofCeiling", "inGraphs"];
    for (const row of rows) {
      const zeroth = row.method.startsWith("MeZO") ? ["noiseSeconds", "limitSeconds", "stepToLimit", "trained"] : [];
      for (const name of [...common, "tokensPerSecond", "timeToInference", "memoryToInference", ...zeroth]) {
        expect(row[name], `${row.method} ${name}`).toBeGreaterThan(0);
        expect(row[name], `${row.method} ${name}`).toBeLessThan(Number.POSITIVE_INFINITY);
      }
    }
    for (const rate of Object.values(ceilings)) expect(rate).toBeGreaterThan(0);
  }, 180_000); // eight processes one after the other

  test("profiles a step as a Markdown table whose shares are of the whole, and writes nothing", () => {
    const args = ["--profile", "--smoke", "--loss", "candidates", "--noise", "rademacher", "--threads", "1"];
    const { status, stdout, cwd } = command("bench/main", args);
    expect(status).toBe(0);
    expect(stdout).toMatch(/\| feedForwardUp x \[14, 256\], weight \[1024, 256\], relu \| 6 \|/);
    expect(stdout).toMatch(/\| noise \|/);
    expect(stdout).toMatch(/\| \*\*step\*\* \|.*\| 100\.0 % \|/);
    const shares = [...stdout.matchAll(/\| ([\d.]+) % \|$/gm)].map(([, share]) => Number(share));
    expect(shares.slice(0, -1).reduce((a, b) => a + b, 0)).toBeCloseTo(100, 0);
    expect(readdirSync(cwd)).toEqual([]);
  });

  test("of replays trains, makes the weights again and prints what that took", () => {
    const { status, stdout, cwd } = command("bench/replayMain", [
      "--steps",
      "3",
      "--threads",
      "1",
      "--output",
      "results",
    ]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/gaussian .*the same bits/);
    expect(stdout).toMatch(/rademacher .*the same bits/);
    const { results } = JSON.parse(readFileSync(join(cwd, "results", "bench-replay-1threads.json"), "utf8"));
    for (const { trainingSeconds, replaySeconds, textBytes, compactBytes } of results)
      for (const number of [trainingSeconds, replaySeconds, textBytes, compactBytes]) expect(number).toBeGreaterThan(0);
  }, 60_000);

  test("measures optimizers on MeZO's estimate where they are named", () => {
    const args = ["--smoke", "--threads", "1", "--method", "mezo-lean-adam", "--output", "results"];
    const { status, stdout } = command("bench/main", args);
    expect(status).toBe(0);
    expect(stdout).toContain("│ MeZO-lean-Adam ");
  });

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
      ...{ flops: 6e9, trained: 1e8, peakBytes },
    },
  });
  const ceilings = { gemm: 60e9, gaussian: 1e8, rademacher: 1e9 };
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
