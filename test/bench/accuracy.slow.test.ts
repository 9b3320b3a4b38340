import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { processorLevel } from "../../src/tensor/x86/library.ts";
import { command } from "../cli/mezo.ts";

test("npm run bench:accuracy compares both bundled models with float64, prints a table and writes the numbers", () => {
  const args = ["--directions", "3", "--rows", "1", "--output", "results"];
  const { status, stdout, cwd } = command("bench/accuracyMain", args);
  expect(status).toBe(0);
  for (const model of ["opt-reviews", "roberta-reviews"])
    expect(stdout).toMatch(new RegExp(`${model} +│ +0.001 │ +float32`));
  const file = join(cwd, "results", `bench-accuracy-${processorLevel()}.json`);
  const { results } = JSON.parse(readFileSync(file, "utf8"));
  for (const { products, error, slope } of results) {
    if (products !== "float32") continue;
    expect(error).toBeLessThan(0.01);
    expect(slope).toBeCloseTo(1, 2);
  }
});
