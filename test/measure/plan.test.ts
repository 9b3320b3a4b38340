import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makePlan } from "../../src/measure/plan.ts";
import type { MeasureRequest } from "../../src/measure/request.ts";
import { requestFrom } from "../cli/request.ts";
import { dataFolder } from "../tasks/dataFolder.ts";

const request = (...argv: string[]): MeasureRequest => {
  const folder = dataFolder({});
  return requestFrom(["--method", "majority", "--out", join(folder, "out"), "--figures", join(folder, "out"), ...argv]);
};

test("what was left out of a task's rows is known before a run begins, once for all seeds", async () => {
  const rows = ["a,1", "b,0", "c,1", "a,1", "d,-1"];
  const data = join(dataFolder({ "a.csv": ["sentence,label", ...rows].join("\n") }), "a.csv");
  const { remarks } = await makePlan(request("--data", data, "--seeds", "1,2"), () => {});
  expect([...remarks]).toEqual(["SST-2: left out: 1 row that repeats an earlier one, 1 row that has no label."]);
  expect((await makePlan(request(), () => {})).remarks.size).toBe(0);
});

test("--encoding and --quoting say how a data file is to be read", async () => {
  const data = join(dataFolder({}), "a.tsv");
  // Every "é" is one byte of windows-1252.
  writeFileSync(data, Buffer.from('sentence\tlabel\n"caf\xe9"\t1\nb\t0\nc\t1\n', "latin1"));
  await expect(makePlan(request("--data", data), () => {})).rejects.toThrow(/line 2 is not UTF-8/);
  const western = ["--data", data, "--encoding", "windows-1252"];
  await expect(makePlan(request(...western), () => {})).rejects.toThrow(/say so by quoting "none" or quoting "double"/);
  const plan = await makePlan(request(...western, "--quoting", "double"), () => {});
  expect(plan.jobs.length).toBe(1);
});
