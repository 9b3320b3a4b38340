import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

/** A file of src/ in which something runs, how many lines it has when it is compiled, and how many of them ran. */
type Stop = readonly [file: string, lines: number, ran: number];

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

test("a reader of one call of tune(model, task, mezo(…)) needs at most 60 files with 5,000 lines as V8 has them", () => {
  const { stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, "tour.mjs")], { encoding: "utf8" });
  expect(stdout, stderr).not.toBe("");
  const stops = JSON.parse(stdout) as Stop[];
  expect(stops.map(([file]) => file)).toContain("tuners/mezo.ts");
  expect(sum(stops.map(([, , ran]) => ran))).toBeGreaterThan(1000);
  expect(stops.length).toBeLessThanOrEqual(60);
  expect(sum(stops.map(([, lines]) => lines))).toBeLessThanOrEqual(5000);
});
