import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { probeBackends } from "../../src/tensor/backend.ts";
import { command } from "../cli/mezo.ts";

const { available } = (await probeBackends()).find(({ name }) => name === "tensorflow")!;
const backends = available ? ["native", "tensorflow"] : ["native"];

test("npm run bench:backends measures passes and steps on each backend, and writes what it prints", () => {
  const size = ["--model", "tiny", "--rows", "2", "--tokens", "8", "--rounds", "1", "--passes", "1", "--threads", "1"];
  const args = ["--backend", backends.join(","), "--weights", "float32,bfloat16", ...size, "--output", "results"];
  const { status, stdout, cwd } = command("bench/backendsMain", args);
  expect(status).toBe(0);
  const { rows } = JSON.parse(readFileSync(join(cwd, "results", "bench-backends-2x8-1threads.json"), "utf8"));
  expect(rows.length).toBe(2 * backends.length);
  for (const { case: of, forward, forwardCpu, mezo, peakBytes } of rows) {
    expect(stdout).toContain(`│ tiny ${of.weights} ${of.backend} `);
    for (const number of [forward, forwardCpu, mezo.step, peakBytes]) expect(number).toBeGreaterThan(0);
    expect(mezo.sides + mezo.update).toBeLessThan(mezo.step);
  }
});
