import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { KitError } from "../../src/error.ts";
import type { Run, Score, StepRecord } from "../../src/experiment/run.ts";
import { createRunFile, discardPart, readRun, writeRun } from "../../src/experiment/runFile.ts";

const scratch = (): string => mkdtempSync(join(tmpdir(), "runs-"));
const step = (n: number): StepRecord => ({
  step: n,
  loss: 0.5,
  projectedGrad: -0.5,
  lr: 1e-6,
  lossPlus: 0.7,
  lossMinus: 0.701,
});
const score = (on: "dev" | "test", at: number): Score => ({ on, step: at, score: 0.75, standardError: 0.1, n: 12 });
const run: Run = {
  header: {
    kit: "0.1.0",
    model: "tiny",
    weightsHash: "none",
    backend: "native",
    threads: 1,
    task: "SST-2",
    data: "rows.csv",
    split: { train: 24, dev: 12, test: 12 },
    metric: "accuracy",
    prompts: "autoregressive",
    seed: 1,
    method: "MeZO",
    options: { lr: 1e-6, begin: "mezo" },
  },
  steps: [step(0), step(1), step(2)],
  scores: [score("dev", 0), score("dev", 2), score("test", 2), score("dev", 3), score("test", 9)],
  cost: { seconds: 1.5, steps: 3, peakBytes: 2 ** 20 },
};

describe("a run file", () => {
  test("comes back as it was written", () => {
    const file = join(scratch(), "new", "folders", "run.jsonl");
    writeRun(file, run);
    expect(readRun(file)).toEqual(run);
  });

  test("holds steps and scores in the order they were made, and every score, also one without its step", () => {
    const file = join(scratch(), "run.jsonl");
    writeRun(file, run);
    const lines = readFileSync(file, "utf8").trim().split("\n").slice(1, -1);
    const order = lines.map((line) => JSON.parse(line)).map((r) => (r.on ? `${r.on} ${r.step}` : r.step));
    expect(order).toEqual(["dev 0", 0, 1, "dev 2", "test 2", 2, "dev 3", "test 9"]);
  });

  test("has its name only when the run is finished; until then it can be discarded", () => {
    const file = join(scratch(), "run.jsonl");
    createRunFile(file).start(run.header);
    expect(existsSync(file)).toBe(false);
    expect(() => readRun(`${file}.part`)).toThrow(/is no finished run/);
    discardPart(file);
    expect(existsSync(`${file}.part`)).toBe(false);
    expect(() => discardPart(file)).not.toThrow();
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("refuses the number %s and leaves nothing", (loss) => {
    const at = scratch();
    const broken = { ...run, scores: [{ ...score("test", 3), loss }] };
    expect(() => writeRun(join(at, "run.jsonl"), broken)).toThrow(new RegExp(`run's loss is ${loss}`));
    expect(readdirSync(at)).toEqual([]);
  });

  test.each<[string, (at: string) => string]>([
    [
      "whose folder is a file",
      (at) => {
        writeFileSync(join(at, "file"), "");
        return join(at, "file", "run.jsonl");
      },
    ],
    [
      "whose name a folder has",
      (at) => {
        mkdirSync(join(at, "run.jsonl", "full"), { recursive: true });
        return join(at, "run.jsonl");
      },
    ],
  ])("that cannot be written, %s, is refused with its path and the reason", (_what, prepare) => {
    const file = prepare(scratch());
    expect(() => writeRun(file, run)).toThrow(KitError);
    expect(() => writeRun(file, run)).toThrow(/run\.jsonl: a run was to be written there, .* \(E\w+\); name another/);
    expect(existsSync(`${file}.part`)).toBe(false);
  });

  test("whose folder vanishes during the run is refused as a KitError", () => {
    const record = createRunFile(join(scratch(), "never-started", "run.jsonl"));
    expect(() => record.step(step(0))).toThrow(KitError);
  });

  test("that is not there is refused with its path", () => {
    const file = join(scratch(), "absent.jsonl");
    expect(() => readRun(file)).toThrow(KitError);
    expect(() => readRun(file)).toThrow(/absent\.jsonl.*ENOENT/);
  });

  test.each([
    ["null", 2],
    ["7", 2],
    ['{"step": 1, "projec', 2],
    ["", 2],
  ])("with the line '%s' is refused with the line's number", (line, number) => {
    const file = join(scratch(), "edited.jsonl");
    writeFileSync(file, `{"header":{}}\n${line}\n{"cost":{}}\n`);
    expect(() => readRun(file)).toThrow(KitError);
    expect(() => readRun(file)).toThrow(`edited.jsonl line ${number} is no JSON object`);
  });

  test.each(['{"header":null}\n{"cost":{}}\n', '{"header":{}}\n{"cost":3}\n', '{"header":{}}\n'])(
    "without header or cost is refused: %j",
    (text) => {
      const file = join(scratch(), "cut.jsonl");
      writeFileSync(file, text);
      expect(() => readRun(file)).toThrow(/is no finished run/);
    },
  );
});
