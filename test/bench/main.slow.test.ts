import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { processorLevel } from "../../src/tensor/x86/library.ts";
import { command } from "../cli/mezo.ts";

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
  });

  test("profiles a step as a Markdown table whose shares are of the whole, and writes it down", () => {
    const args = ["--profile", "--smoke", "--loss", "candidates", "--noise", "rademacher", "--threads", "1"];
    const { status, stdout, cwd } = command("bench/main", args);
    expect(status).toBe(0);
    const up =
      processorLevel() === "none"
        ? "feedForwardUp x [14, 256], weight [1024, 256], relu | 6"
        : "product x [14, 256], weight [1024, 256], both sides | 3";
    expect(stdout).toContain(`| ${up} |`);
    expect(stdout).toMatch(/\| noise \|/);
    expect(stdout).toMatch(/\| \*\*step\*\* \|.*\| 100\.0 % \|/);
    const shares = [...stdout.matchAll(/\| ([\d.]+) % \|$/gm)].map(([, share]) => Number(share));
    expect(shares.slice(0, -1).reduce((a, b) => a + b, 0)).toBeCloseTo(100, 0);
    const file = join(cwd, "data/runs/smoke/bench-profile-2x8-1threads.json");
    const { profile } = JSON.parse(readFileSync(file, "utf8")) as { profile: { stepSeconds: number } };
    expect(stdout).toContain(`| ${(1e3 * profile.stepSeconds).toFixed(1)} |`);
  });

  test("of replays trains, recomputes the weights and prints what that took", () => {
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
  });

  test("measures optimizers on MeZO's estimate where they are named", () => {
    const args = ["--smoke", "--threads", "1", "--method", "mezo-lean-adam", "--output", "results"];
    const { status, stdout } = command("bench/main", args);
    expect(status).toBe(0);
    expect(stdout).toContain("│ MeZO-lean-Adam ");
  });
});
