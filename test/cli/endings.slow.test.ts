import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readRun } from "../../src/record/read.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { mezo } from "./mezo.ts";

const small = [
  ...["--model", tinyModel(), "--data", tinyData(), "--train", "24", "--dev", "4", "--test", "4", "--batch-size", "1"],
  ...["--out", "runs", "--figures", "pictures"],
];

test("a command keeps a run that is too long for one message between processes", () => {
  const { status, stdout, cwd } = mezo(...small, "--method", "mezo", "--steps", "6000", "--lr", "1e-6");
  expect(status).toBe(0);
  expect(stdout).toMatch(/MeZO +│ +\d/);
  const names = readdirSync(join(cwd, "runs"));
  expect(names).toHaveLength(1);
  const run = readRun(join(cwd, "runs", names[0]!));
  expect(run.steps).toHaveLength(6000);
  expect(JSON.stringify(run).length).toBeGreaterThan(2 ** 19);
});
