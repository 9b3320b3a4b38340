import { expect, test } from "vitest";
import { readRun } from "../../src/record/read.ts";
import { command, folder } from "./mezo.ts";
import { runIn, small } from "./runs.ts";

test("what is maximized, LoRA's settings, looks, micro-batches and one split of several seeds are in the runs, and resumed by", () => {
  const cwd = folder();
  const lora = ["--rank", "2", "--alpha", "4", "--targets", "fc1", "--evaluate-every", "1", "--micro-batch-size", "1"];
  const args = ["--threads", "1", ...small, "--method", "ft,mezo-lora", "--steps", "2", "--seeds", "2"];
  const asked = [...args, ...lora, "--split-seed", "3", "--maximize", "accuracy"];
  const { status, stdout } = command("main", asked, cwd);
  expect(status).toBe(0);
  expect(stdout).toContain("No FT on SST-2: it needs a gradient, and accuracy has none.");
  expect(stdout).toContain("the split and batches of all seeds drawn by 3");
  expect(runIn(cwd)).toMatch(/-mezo-lora-split3-seed2\.jsonl$/);
  expect(readRun(runIn(cwd)).header).toMatchObject({
    ...{ seed: 2, splitSeed: 3, adapter: { options: { rank: 2, alpha: 4 } } },
    settings: { evaluateEvery: 1, microBatchSize: 1, maximize: "accuracy" },
  });
  const { status: refused, stderr } = command(
    "main",
    [...asked.with(asked.indexOf("--rank") + 1, "3"), "--resume"],
    cwd,
  );
  expect(refused).toBe(1);
  expect(stderr.trim().split("\n").at(-1)).toMatch(/adapter\.options\.rank is 2 in one and 3 in the other/);
});
