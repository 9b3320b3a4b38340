import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { command } from "../cli/mezo.ts";
import { tinyData, tinyModel } from "../tiny.ts";

const small = ["--model", tinyModel(), "--data", tinyData(), "--train", "32", "--dev", "8", "--test", "8"];
const doctor = (...args: string[]): ReturnType<typeof command> =>
  command("main", ["doctor", "--threads", "1", ...small, ...args]);

describe("mezo doctor", () => {
  test("says what a run would have to go by, and draws g over eps", () => {
    const { status, stdout, stderr, cwd } = doctor("--method", "mezo-lora", "--figures", "pictures");
    expect(stderr).not.toContain("Error");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^MeZO \(LoRA\) on SST-2, tiny-opt-/);
    expect(stdout).toMatch(/To begin with +--eps /);
    const names = readdirSync(join(cwd, "pictures")).toSorted();
    expect(names).toEqual([expect.stringMatching(/mezo-lora-plateau\.png$/), expect.stringMatching(/plateau\.svg$/)]);
  });

  test("says what it can be asked", () => {
    const { status, stdout } = doctor("--help");
    expect(status).toBe(0);
    for (const option of ["--model", "--task", "--data", "--method", "--lr", "--eps", "--batch-size", "--seed"])
      expect(stdout).toContain(option);
  });

  test.each([
    ["several tasks", ["--task", "SST-2,RTE"], /one task at a time/],
    ["a method that takes no steps of MeZO", ["--method", "ft"], /--method.*mezo, mezo-lora, mezo-prefix/],
    ["a learning rate of 0", ["--lr", "0"], /learning rate above 0/],
    ["a model that is not there", ["--model", "no/such/model/folder"], /no\/such\/model\/folder/],
  ])("refuses %s in one sentence and writes nothing", (_what, args, message) => {
    const { status, stderr, cwd } = doctor(...args);
    expect(status).toBe(1);
    expect(stderr.trim().split("\n").at(-1)).toMatch(message);
    expect(existsSync(join(cwd, "figures")) ? readdirSync(join(cwd, "figures")) : []).toEqual([]);
  });
});
