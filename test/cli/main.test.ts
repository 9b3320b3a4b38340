import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readRun } from "../../src/record/read.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { command, folder, mezo } from "./mezo.ts";

const model = tinyModel();
const data = tinyData();
const edited = (change: (folder: string) => void): string => {
  const copy = tinyModel();
  change(copy);
  return copy;
};
const file = (name: string, text: string): string => {
  const path = join(folder(), name);
  writeFileSync(path, text);
  return path;
};

/** Rewrites the 8 bytes that say how long a safetensors header is. */
function lieAboutLength(path: string): void {
  const bytes = readFileSync(path);
  bytes.writeBigUInt64LE(BigInt(bytes.length) * 2n);
  writeFileSync(path, bytes);
}

describe("the command line", () => {
  test("measures methods on a user's model and data, prints one table and writes runs and a picture", () => {
    const methods = ["Majority", "Zero-shot", "LP", "FT (LoRA)", "MeZO"];
    const { status, stdout, stderr, cwd } = mezo(
      "--model",
      model,
      "--data",
      data,
      "--smoke",
      "--method",
      "majority,zero-shot,lp,ft-lora,mezo",
      "--out",
      "runs",
      "--figures",
      "pictures",
    );
    expect(stderr).not.toContain("Error");
    expect(status).toBe(0);
    for (const method of methods)
      expect(stdout).toMatch(new RegExp(`${method.replace(/[()]/g, "\\$&")} +│ +\\d+\\.\\d ± \\d+\\.\\d`));
    expect(stdout).toContain("91.4");
    expect(stdout).toContain("A smoke run");
    expect(readdirSync(join(cwd, "pictures")).toSorted()).toEqual([
      expect.stringMatching(/^sst-2-rows-[0-9a-f]{8}-tiny-opt-\w+-accuracy-memory\.png$/i),
      expect.stringMatching(/^sst-2-rows-[0-9a-f]{8}-tiny-opt-\w+-accuracy-memory\.svg$/i),
    ]);
    const runs = readdirSync(join(cwd, "runs"));
    expect(runs).toHaveLength(methods.length);
    const run = readRun(join(cwd, "runs", runs.find((name) => name.includes("mezo-seed1"))!));
    expect(run.steps).toHaveLength(20);
    expect(run.cost.peakBytes).toBeGreaterThan(2 ** 20);
  });

  test("keeps weights in 16 bits where asked to, and says so in the runs and under the table", () => {
    const halves = ["--weights", "float16", "--rounding", "nearest", "--method", "zero-shot,mezo", "--steps", "2"];
    const { status, stdout, cwd } = mezo("--model", model, "--data", data, "--smoke", ...halves, "--out", "runs");
    expect(status).toBe(0);
    expect(stdout).toMatch(/\(weights in float16, nearest rounding[,)]/); // where AMX is, products follow
    const runs = readdirSync(join(cwd, "runs"));
    expect(runs).toHaveLength(2);
    for (const name of runs) {
      expect(name).toMatch(/-float16-(zero-shot|mezo)-seed1\.jsonl$/);
      expect(readRun(join(cwd, "runs", name)).header.weights).toEqual({ format: "float16", rounding: "nearest" });
    }
  });

  test.each<[string, string[], RegExp]>([
    ["a model folder that is not there", ["--model", "no/such/model/folder"], /no\/such\/model\/folder/],
    [
      "a folder without config.json",
      ["--model", edited((at) => rmSync(join(at, "config.json")))],
      /no config\.json there; give a folder/,
    ],
    [
      "an unknown architecture",
      ["--model", tinyModel({ config: { model_type: "t5" } })],
      /type "t5", which the kit cannot build/,
    ],
    [
      "a truncated safetensors file",
      ["--model", edited((at) => truncateSync(join(at, "model.safetensors"), 5000))],
      /model\.safetensors/,
    ],
    [
      "a header that lies about its length",
      ["--model", edited((at) => lieAboutLength(join(at, "model.safetensors")))],
      /model\.safetensors/,
    ],
    ["a folder without a tokenizer", ["--model", edited((at) => rmSync(join(at, "tokenizer.json")))], /tokenizer/],
    ["an unknown task", ["--task", "SST-3"], /no task "SST-3": choose one of SST-2/],
    ["an unknown option", ["--stepz", "3"], /unknown option '--stepz'/],
    ["a value that is no number", ["--steps", "many"], /--steps.*whole number/],
    [
      "an unknown method",
      ["--method", "sgd"],
      /methods are Majority, Zero-shot, Zero-shot \(calibrated\), ICL, ICL \(calibrated\), LP, FT/,
    ],
    [
      "weights in 16 bits on another backend",
      ["--weights", "float16", "--backend", "cpu"],
      /float16 were asked for, which the cpu backend does not keep/,
    ],
    ["an eps of 0", ["--eps", "0"], /eps .*above 0, not 0/],
    ["an empty data file", ["--data", file("rows.csv", "")], /rows\.csv/],
    [
      "a row without a label",
      ["--data", file("rows.csv", "sentence,label\nfine film,1\ndull film,\n")],
      /rows\.csv line 3/,
    ],
    ["a data file that is not there", ["--data", "nowhere.csv"], /nowhere\.csv/],
    [
      "an output folder that cannot be written",
      ["--out", join(file("a-file", ""), "runs")],
      /cannot be written to \(ENOTDIR\)/,
    ],
  ])("refuses %s in one line, with exit code 1 and nothing written", (_what, args, message) => {
    const given = new Set(args);
    const defaults = [
      ...(given.has("--model") ? [] : ["--model", model]),
      ...(given.has("--data") ? [] : ["--data", data]),
    ];
    const { status, stdout, stderr, cwd } = mezo(
      ...defaults,
      "--smoke",
      "--figures",
      "pictures",
      ...(given.has("--out") ? [] : ["--out", "runs"]),
      ...args,
    );
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(message);
    for (const output of ["runs", "pictures"])
      expect(existsSync(join(cwd, output)) ? readdirSync(join(cwd, output)) : []).toEqual([]);
  });

  test("stops at a loss that is no number with the step and what to try, and makes way for a smaller rate", () => {
    const diverging = [
      "--model",
      model,
      "--data",
      data,
      "--smoke",
      "--method",
      "mezo",
      "--lr",
      "1e30",
      "--out",
      "runs",
      "--figures",
      "pictures",
    ];
    const { status, stderr, cwd } = mezo(...diverging);
    expect(status).toBe(1);
    expect(stderr).toMatch(/MeZO stopped at step \d+: the losses .* try a learning rate ten times smaller/);
    const kept = readdirSync(join(cwd, "runs"));
    expect(kept).toEqual([expect.stringMatching(/\.part\.1$/)]);
    expect(stderr).toContain(kept[0]);
    const again = command("main", ["--threads", "1", ...diverging.with(diverging.indexOf("1e30"), "1e-4")], cwd);
    expect(again.status).toBe(0);
  });
});
