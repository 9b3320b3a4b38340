import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compactRun, readCompact } from "../../src/record/compact.ts";
import { diff, isFinished } from "../../src/record/diff.ts";
import { type HeaderOfFormat2, readFormat2 } from "../../src/record/format2.ts";
import { readHeader, readUnfinished } from "../../src/record/read.ts";
import type { Run, RunHeader, StepRecord } from "../../src/record/run.ts";
import { resumeRun, writeRun } from "../../src/record/write.ts";
import { scratch } from "./sampleRun.ts";

/** The first lines of a run as format 2 had them. */
const LINES = `${[
  '{"header":{"format":2,"kit":"0.1.0","noise":"philox4x32-10 box-muller 1","model":"opt-reviews","weightsHash":"2a1cb8606f992362","backend":"native","threads":1,"task":"SST-2","data":"npm:sentiment@5.0.2 (imdb, amazon, yelp), sha256 de75773f49a5","split":{"train":1000,"dev":500,"test":1000},"metric":"accuracy","prompts":"autoregressive","seed":3,"method":"MeZO (LoRA)","tuner":"MeZO","passes":"pair","options":{"lr":0.001,"eps":0.01,"schedule":"constant","weightDecay":0,"noise":"gaussian","LoRA.rank":8,"LoRA.alpha":16,"steps":1000,"batchSize":16,"evaluateEvery":200,"begin":"mezo"},"adapter":"LoRA"},"hash":"8965af0b8c077676"}',
  '{"step":0,"losses":[0.8441597841274696,0.8255593517209813],"projectedGrad":0.93002164}',
  '{"step":1,"losses":[0.710387007075212,0.7225120933640902],"projectedGrad":-0.60625434}',
].join("\n")}\n`;

/** The header of the same run as format 3 has it. */
const HEADER: RunHeader = {
  ...{ format: 3, kit: "0.1.0", noise: "philox4x32-10 box-muller 1", model: "opt-reviews" },
  ...{ weightsHash: "2a1cb8606f992362", backend: "native", threads: 1, task: "SST-2" },
  data: { files: ["npm:sentiment@5.0.2 (imdb, amazon, yelp)"], sha256: "de75773f49a5" },
  ...{ split: { train: 1000, dev: 500, test: 1000 }, metric: "accuracy", prompts: "autoregressive", seed: 3 },
  method: "MeZO (LoRA)",
  tuner: { name: "MeZO", options: { lr: 0.001, eps: 0.01, schedule: "constant", weightDecay: 0, noise: "gaussian" } },
  adapter: { name: "LoRA", options: { rank: 8, alpha: 16 } },
  passes: "pair",
  settings: { steps: 1000, batchSize: 16, evaluateEvery: 200, chooseBy: "loss", begin: "mezo" },
};

const STEPS: readonly StepRecord[] = [
  { step: 0, losses: [0.8441597841274696, 0.8255593517209813], projectedGrad: Math.fround(0.93002164) },
  { step: 1, losses: [0.710387007075212, 0.7225120933640902], projectedGrad: Math.fround(-0.60625434) },
];
const COST = { seconds: 1, steps: 2, peakBytes: 1 };

/** A file of its own that holds the text. */
function fileOf(text: string): string {
  const path = join(scratch(), "run.jsonl.part");
  writeFileSync(path, text);
  return path;
}

const old = (change: object): RunHeader => readFormat2({ ...JSON.parse(LINES.split("\n")[0]!).header, ...change });

describe("a run of format 2", () => {
  test("is read into the values of format 3, its hashes checked", () => {
    const path = fileOf(LINES);
    expect(readUnfinished(path)).toEqual({ run: { header: HEADER, steps: STEPS, scores: [] }, torn: false });
    expect(readHeader(path)).toEqual(HEADER);
    expect(() => readUnfinished(fileOf(LINES.replace('"seed":3', '"seed":4')))).toThrow(
      /do not have the hash 8965af0b/,
    );
    expect(() => readUnfinished(fileOf(LINES.replace('"seed":3', '"seed":-4')))).toThrow(/header\.seed must be >= 0/);
    expect(() => readUnfinished(fileOf(LINES.replace('"passes":"pair",', "")))).toThrow(/required property 'passes'/);
  });

  test("has its weights, data and options as values, whatever its method", () => {
    expect(old({ weights: "bfloat16, nearest rounding" }).weights).toEqual({ format: "bfloat16", rounding: "nearest" });
    const dropped = [{ reason: "repeated", rows: 20 }];
    expect(old({ data: "CB/train.jsonl + CB/val.jsonl, sha256 2d6950daeff1", dropped }).data).toEqual({
      ...{ files: ["CB/train.jsonl", "CB/val.jsonl"], sha256: "2d6950daeff1", dropped },
    });
    const options = { lr: 1, chooseBy: "score", maximize: "accuracy", microBatchSize: 2, checkpointing: true };
    const { adapter, ...tuned } = old({ adapter: undefined, options });
    expect(adapter).toBeUndefined();
    expect(tuned).toMatchObject({ tuner: { name: "MeZO", options: { lr: 1 } } });
    expect(tuned.settings).toEqual({ chooseBy: "score", maximize: "accuracy", microBatchSize: 2, checkpointing: true });
    const prefix = old({ adapter: "prefix", options: { "prefix.length": 5, "prefix.init": "random", steps: 2 } });
    expect(prefix.adapter).toEqual({ name: "prefix", options: { length: 5, init: "random" } });
    const icl: Partial<HeaderOfFormat2> = { tuner: "none", passes: "none", options: { shots: 32, draw: "fresh" } };
    const untrained = old({ ...icl, adapter: undefined });
    expect(untrained.settings).toEqual({ shots: 32, draw: "fresh" });
    expect(Object.keys(untrained)).not.toEqual(expect.arrayContaining(["tuner"]));
    expect(Object.keys(untrained)).not.toEqual(expect.arrayContaining(["passes"]));
  });

  test("is the same run as in format 3, and another where a setting differs", () => {
    const { run } = readUnfinished(fileOf(LINES));
    const finished: Run = { ...run, cost: COST };
    const now: RunHeader = { ...HEADER, data: { ...HEADER.data, rows: 2972 } };
    expect(isFinished(finished, now)).toBe(true);
    expect(isFinished(finished, { ...now, settings: { ...now.settings, chooseBy: "score" } })).toBe(false);
    expect(isFinished(finished, { ...now, adapter: { name: "LoRA", options: { rank: 4, alpha: 16 } } })).toBe(false);
    expect(diff(run, { header: now, steps: STEPS, scores: [] })).toBeUndefined();
    const faster = { ...now, tuner: { name: "MeZO", options: { ...now.tuner!.options, lr: 0.01 } } };
    expect(diff(run, { header: faster, steps: STEPS, scores: [] })).toEqual({
      ...{ step: 0, what: "tuner.options.lr", one: 0.001, other: 0.01 },
    });
  });

  test("that was cut short is resumed behind its own lines", () => {
    const part = fileOf(`${LINES}{"step":2,`);
    const path = part.replace(/\.part$/, "");
    const { file, run, torn } = resumeRun(path);
    expect([run?.steps.length, torn]).toEqual([2, true]);
    const next = { step: 2, losses: [1, 0.5], projectedGrad: 25 };
    file.step(next);
    file.finish(COST);
    const text = readFileSync(path, "utf8");
    expect(text.startsWith(`${LINES}{"step":2,"losses":[1,0.5],"projectedGrad":25}\n{"cost":`)).toBe(true);
    expect(readUnfinished(path).run).toEqual({ header: HEADER, steps: [...STEPS, next], scores: [], cost: COST });
  });

  test("loses nothing where it is written again: as the beginning of another, and in binary", () => {
    const { run: before } = readUnfinished(fileOf(LINES));
    const step = { step: 2, losses: [1, 0.5], projectedGrad: 25 };
    const fork: Run = { header: { ...HEADER, seed: 4 }, steps: [step], scores: [], before, cost: COST };
    const path = join(scratch(), "fork.jsonl");
    writeRun(path, fork);
    expect(readUnfinished(path).run).toEqual(fork);
    expect(readCompact(compactRun(before))).toMatchObject({ header: HEADER });
  });

  test("is read from the binary form that an earlier version wrote", () => {
    const chapter = { header: JSON.parse(LINES.split("\n")[0]!).header, steps: 1, scores: [] };
    const text = Buffer.from(JSON.stringify({ chapters: [chapter] }));
    const numbers = Buffer.alloc(8);
    numbers.writeUInt32LE(text.length);
    numbers.writeFloatLE(0.5, 4);
    const body = Buffer.concat([Buffer.from("mezo-run1"), numbers.subarray(0, 4), text, numbers.subarray(4)]);
    const run = readCompact(Buffer.concat([body, createHash("sha256").update(body).digest().subarray(0, 8)]));
    expect(run).toEqual({
      header: HEADER,
      steps: [{ step: 0, losses: [0.005, -0.005], projectedGrad: 0.5 }],
      scores: [],
    });
  });
});
