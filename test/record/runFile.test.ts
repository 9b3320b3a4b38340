import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import seedrandom from "seedrandom";
import { describe, expect, test } from "vitest";
import { KitError } from "../../src/error.ts";
import { compactRun } from "../../src/record/compact.ts";
import { readRun, readUnfinished } from "../../src/record/read.ts";
import type { Run, UnfinishedRun } from "../../src/record/run.ts";
import { createRunFile, resumeRun, writeRun } from "../../src/record/write.ts";
import { run, score, scratch, step } from "./sampleRun.ts";

describe("a run file", () => {
  test("comes back as it was written", () => {
    const file = join(scratch(), "new", "folders", "run.jsonl");
    writeRun(file, run);
    expect(readRun(file)).toEqual(run);
  });

  test("of a run on a GPU has that one's peak beside the process's, and a prediction without what the process held before", () => {
    const file = join(scratch(), "run.jsonl");
    const predicted = { weights: 2 ** 20, activations: 5, temporaries: 6, gradients: 0, optimizer: 0 };
    const onGpu = { ...run, cost: { ...run.cost, devicePeakBytes: 2 ** 21, predicted } };
    writeRun(file, onGpu);
    expect(readRun(file)).toEqual(onGpu);
  });

  test("holds steps and scores in the order they were made", () => {
    const file = join(scratch(), "run.jsonl");
    writeRun(file, run);
    const lines = readFileSync(file, "utf8").trim().split("\n").slice(1, -1);
    const order = lines.map((line) => JSON.parse(line)).map((r) => (r.on ? `${r.on} ${r.step}` : r.step));
    expect(order).toEqual(["dev 0", 0, 1, "dev 2", "test 2", 2, "dev 3"]);
  });

  test("has its name only when the run is finished; one that is let go of stays where it has a step, and goes where it has none", () => {
    const file = join(scratch(), "run.jsonl");
    const empty = createRunFile(file);
    empty.start(run.header);
    expect(existsSync(file)).toBe(false);
    expect(() => readRun(`${file}.part`)).toThrow(/is not a finished run/);
    empty.release();
    expect(readdirSync(join(file, ".."))).toEqual([]);
    const other = createRunFile(file);
    other.start(run.header);
    other.step(step(0));
    other.release();
    expect(readdirSync(join(file, ".."))).toEqual(["run.jsonl.part"]);
    expect(() => other.step(step(1))).toThrow(/but none is open/);
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

  test("takes no step before its start, and no second start", () => {
    const record = createRunFile(join(scratch(), "never-started", "run.jsonl"));
    expect(() => record.step(step(0))).toThrow(KitError);
    record.start(run.header);
    expect(() => record.start(run.header)).toThrow(/but none is open/);
    record.release();
  });

  test("that is not there is refused with its path", () => {
    const file = join(scratch(), "absent.jsonl");
    expect(() => readRun(file)).toThrow(KitError);
    expect(() => readRun(file)).toThrow(/absent\.jsonl.*ENOENT/);
  });

  test("fits every line to the published schema, a step into 100 bytes", () => {
    const file = join(scratch(), "run.jsonl");
    writeRun(file, forked);
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
    const schema = JSON.parse(readFileSync(join(import.meta.dirname, "../../data/schema/run.schema.json"), "utf8"));
    const validate = ajv.compile(schema);
    for (const line of readFileSync(file, "utf8").trim().split("\n")) {
      expect(validate(JSON.parse(line)), JSON.stringify(validate.errors)).toBe(true);
      if (line.includes("losses")) expect(line.length).toBeLessThanOrEqual(100);
    }
  });

  test("that started from another's weights holds that one too", () => {
    const file = join(scratch(), "run.jsonl");
    writeRun(file, forked);
    expect(readRun(file)).toEqual(forked);
  });

  test("is read while it is unfinished, but for a last line that is torn", () => {
    const file = join(scratch(), "run.jsonl");
    const record = createRunFile(file);
    record.start(run.header);
    record.step(step(0));
    expect(readUnfinished(`${file}.part`)).toMatchObject({ torn: false, run: { steps: [step(0)] } });
    appendFileSync(`${file}.part`, '{"step":1,"los');
    expect(readUnfinished(`${file}.part`)).toMatchObject({ torn: true, run: { steps: [step(0)] } });
    record.release();
    const earlier = resumeRun(file);
    expect(earlier.torn).toBe(true);
    earlier.file.release();
  });

  test("that was interrupted is continued to the very bytes that it would have had", () => {
    const [whole, other] = [join(scratch(), "run.jsonl"), join(scratch(), "run.jsonl")];
    writeRun(whole, run);
    const lines = readFileSync(whole, "utf8").split("\n");
    writeFileSync(`${other}.part`, `${lines.slice(0, 4).join("\n")}\n{"step":2,`);
    const { file, run: earlier, end } = resumeRun(other);
    for (const score of run.scores.slice(earlier!.scores.length, 3)) file.score(score);
    file.step(run.steps[2]!);
    file.score(run.scores[3]!);
    end(run);
    expect(readFileSync(other, "utf8")).toBe(readFileSync(whole, "utf8"));
  });

  test.each<[string, (lines: string[]) => string[], RegExp]>([
    ["no JSON", (l) => [l[0]!, "null", ...l.slice(2)], /line 2 is no line of a run/],
    ["no header", (l) => l.slice(1), /line 1 is the first one, but holds no header/],
    ["a missing step", (l) => l.filter((_, i) => i !== 3), /line 4 is of step 2 where 1 is due/],
    ["another loss", (l) => l.map((x) => x.replace("0.64280", "0.64281")), /line 3 has losses from which .* does not/],
    [
      "another seed",
      (l) => l.map((x) => x.replace('"seed":1', '"seed":2')),
      /line 1: the lines up to here do not have/,
    ],
    ["another score", (l) => l.map((x) => x.replace('"score":0.75', '"score":0.85')), /do not have the hash/],
    ["an unknown field", (l) => l.map((x) => x.replace('{"step"', '{"x":1,"step"')), /additional properties x/],
    [
      "a loss that is text",
      (l) => l.map((x) => x.replace(/"losses":\[[^,]+/, '"losses":["1"')),
      /losses.0 must be number/,
    ],
    ["an earlier format", (l) => l.map((x) => x.replace('"format":3', '"format":1')), /of format 1, and this version/],
    ["something behind the cost", (l) => [...l, l[2]!], /stands behind the cost/],
  ])("that was edited to have %s is refused with the line", (_what, edit, message) => {
    const file = join(scratch(), "run.jsonl");
    writeRun(file, run);
    const lines = readFileSync(file, "utf8").trim().split("\n");
    writeFileSync(file, `${edit(lines).join("\n")}\n`);
    expect(() => readRun(file)).toThrow(message);
    expect(() => readRun(file)).toThrow(/^[^\n]*$/);
  });
});

const other = { ...run.header, seed: 2 };
const { cost: _, ...before } = run;
const forked: Run = {
  ...{ header: other, steps: [step(3), step(4)], scores: [score("dev", 5)] },
  ...{ cost: run.cost, before },
};

describe("10,000 damaged files", () => {
  const random = seedrandom.alea("fuzz");
  const below = (n: number): number => Math.floor(random() * n);
  const steps = Array.from({ length: 12 }, (_, n) => step(n));
  const sample: Run = { ...run, steps, scores: [score("dev", 4), score("dev", 8), score("dev", 12)] };

  /** What recomputed weights would depend on. */
  const facts = ({ header, steps, before }: UnfinishedRun): unknown[] => [
    ...(before ? facts(before) : []),
    JSON.stringify(header),
    ...steps.map(({ projectedGrad }) => projectedGrad),
  ];

  const DAMAGE: readonly ((bytes: Buffer) => Buffer)[] = [
    (bytes) => {
      bytes[below(bytes.length)]! ^= 1 << below(8);
      return bytes;
    },
    (bytes) => bytes.subarray(0, below(bytes.length)),
    (bytes) => Buffer.concat([bytes.subarray(0, below(bytes.length)), bytes.subarray(below(bytes.length))]),
    (bytes) => inLines(bytes, (lines) => lines.toSpliced(below(lines.length), 1)),
    (bytes) => inLines(bytes, (lines) => lines.toSpliced(below(lines.length), 0, lines[below(lines.length)]!)),
    (bytes) => inLines(bytes, (lines) => lines.with(below(lines.length), lines[below(lines.length)]!)),
    (bytes) => replaced(bytes, /\d/g, () => `${below(10)}`),
    (bytes) => replaced(bytes, /\d+/g, () => ["1e999", "-1", "9".repeat(400), "null", "0.5"][below(5)]!),
    (bytes) => replaced(bytes, /"\w+":/g, () => ['"__proto__":', '"step":', '"x":', '"losses":'][below(4)]!),
    (bytes) => replaced(bytes, /[[{]/g, (found) => found.repeat(below(20_000))),
    (bytes) => Buffer.concat([bytes, Buffer.alloc(below(50))]),
  ];

  const inLines = (bytes: Buffer, change: (lines: string[]) => string[]): Buffer =>
    Buffer.from(change(bytes.toString("latin1").split("\n")).join("\n"), "latin1");

  function replaced(bytes: Buffer, what: RegExp, by: (found: string) => string): Buffer {
    const text = bytes.toString("latin1");
    const all = [...text.matchAll(what)];
    const { index, 0: found } = all[below(all.length)]!;
    return Buffer.from(text.slice(0, index) + by(found) + text.slice(index + found.length), "latin1");
  }

  test.each(["text", "binary"])(
    "in %s are refused in one line, or give what they gave before, or less of it",
    (form) => {
      const file = join(scratch(), "run");
      writeRun(file, sample);
      const whole = form === "text" ? readFileSync(file) : Buffer.from(compactRun(sample));
      const expected = facts(sample);
      let refused = 0;
      for (let i = 0; i < 5000; i++) {
        const damaged = DAMAGE[i % DAMAGE.length]!(Buffer.from(whole));
        writeFileSync(file, damaged);
        try {
          const found = facts(readUnfinished(file).run);
          expect(found).toEqual(expected.slice(0, found.length));
        } catch (error) {
          expect(error).toBeInstanceOf(KitError);
          expect((error as Error).message).toMatch(/^[^\n]{1,2000}$/);
          refused++;
        }
      }
      expect(refused).toBeGreaterThan(2500);
    },
    60_000,
  );
});
