import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { KitError } from "../../src/error.ts";
import { compactRun, readCompact } from "../../src/record/compact.ts";
import { readRun, readUnfinished } from "../../src/record/read.ts";
import type { Run } from "../../src/record/run.ts";
import { createRunFile, writeRun } from "../../src/record/write.ts";
import { needs, shared } from "../shared.ts";
import { EPS, run, score, scratch, step } from "./sampleRun.ts";

const other = { ...run.header, seed: 2 };
const { cost: _, ...before } = run;
const forked: Run = {
  ...{ header: other, steps: [step(3), step(4)], scores: [score("dev", 5)] },
  ...{ cost: run.cost, before },
};

// biome-ignore lint/suspicious/noExplicitAny: the content is changed into what it must not be
type Anything = any;

/** A compact run whose JSON or numbers were changed, under a hash that fits: the name, the JSON's length, the JSON, the numbers, the hash. */
function changed(
  json: (content: Anything) => unknown,
  numbers: (floats: Buffer) => Buffer = (floats) => floats,
): Buffer {
  const whole = Buffer.from(compactRun(run));
  const end = 13 + whole.readUInt32LE(9);
  const text = json(JSON.parse(whole.toString("utf8", 13, end)));
  const content = Buffer.from(typeof text === "string" ? text : JSON.stringify(text));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(content.length);
  return signed(Buffer.concat([whole.subarray(0, 9), length, content, numbers(whole.subarray(end, -8))]));
}

const signed = (body: Buffer): Buffer =>
  Buffer.concat([body, createHash("sha256").update(body).digest().subarray(0, 8)]);

/** The first chapter with other fields. */
const chapter = (change: object) => (content: Anything) => ({
  ...content,
  chapters: [{ ...content.chapters[0], ...change }],
});

const nested = "[".repeat(9000) + "]".repeat(9000);

/** Asserts that reading throws a KitError of one short line. */
function expectRefused(read: () => unknown, message: RegExp): void {
  expect(read).toThrow(KitError);
  expect(read).toThrow(message);
  expect(read).toThrow(/^[^\n]{1,400}$/);
}

describe("a run in binary", () => {
  test("comes back with its estimates, which its losses give, in at most 8 bytes a step", () => {
    const steps = Array.from({ length: 1000 }, (_, n) => step(n));
    const long: Run = { ...run, steps, scores: [score("dev", 1000)] };
    const bytes = compactRun(long);
    expect(bytes.length / steps.length).toBeLessThanOrEqual(8);
    const again = readCompact(bytes);
    expect({ ...again, steps: [] }).toEqual({ ...long, steps: [] });
    expect(again.steps.map(({ projectedGrad }) => projectedGrad)).toEqual(steps.map((s) => s.projectedGrad));
    for (const { losses, projectedGrad } of again.steps)
      expect(Math.fround((losses[0]! - losses[1]!) / (2 * EPS))).toBe(projectedGrad);
    expect(readCompact(compactRun(forked))).toMatchObject({ header: other, before: { header: run.header } });
    expect(readCompact(changed((content) => content))).toEqual(readCompact(compactRun(run)));
  });

  test("has the scores of parts, and not those of their rows", () => {
    expect(run.scores.filter(({ rows }) => rows)).not.toEqual([]);
    const scores = run.scores.map(({ rows: _, ...one }) => one);
    expect(readCompact(compactRun(run)).scores).toEqual(scores);
  });

  test("is none where a step has more to it than one estimate", () => {
    const header = { ...run.header, tuner: { name: "MeZO-n-SPSA", options: {} } };
    expect(() => compactRun({ ...run, header })).toThrow(/of MeZO-n-SPSA .* more to them than one estimate/);
    expect(() => compactRun({ ...run, steps: [{ step: 0, losses: [1, 2] }] })).toThrow(/step 0 has no estimate/);
  });

  test.each<[string, Buffer, RegExp]>([
    ["no JSON", changed(() => "{"), /its content is no JSON/],
    ["a list", changed(() => "[]"), /its content is no JSON/],
    ["nothing", signed(Buffer.from("mezo-run1")), /it ends before its content/],
    ["a length beyond its end", signed(Buffer.from("mezo-run1\xff\xff\xff\x7f{}", "latin1")), /is no JSON/],
    ["no chapter", changed((content) => ({ ...content, chapters: [] })), /not chapters and a cost/],
    ["chapters by name", changed(() => ({ chapters: { length: 1 } })), /not chapters and a cost/],
    ["something beside them", changed((content) => ({ ...content, more: 1 })), /not chapters and a cost/],
    ["a chapter that is none", changed(() => ({ chapters: [null] })), /a chapter is not a header/],
    ["no scores", changed(chapter({ scores: undefined })), /a chapter is not a header/],
    [
      "another header",
      changed(chapter({ header: { ...run.header, seed: -1 } })),
      /chapter 1: header\.seed must be >= 0/,
    ],
    [
      "a header without eps",
      changed(chapter({ header: { ...run.header, tuner: { name: "MeZO", options: {} } } })),
      /steps of MeZO with eps nothing/,
    ],
    [
      "a header of format 1",
      changed(chapter({ header: { ...run.header, format: 1 } })),
      /of format 1, and this version/,
    ],
    [
      "a nested format",
      changed((c) => JSON.stringify(chapter({ header: { format: "@" } })(c)).replace('"@"', nested)),
      /of format \[\[\[\["…"\]\]\]\]/,
    ],
    ["a text of steps", changed(chapter({ steps: "3" })), /a chapter has "3" steps/],
    ["too many steps", changed(chapter({ steps: 2 ** 53 })), /a chapter has 9007199254740992 steps/],
    ["more steps than numbers", changed(chapter({ steps: 4 })), /have 4 steps, which do not take the 12 bytes/],
    ["fewer steps than numbers", changed(chapter({ steps: 2 })), /have 2 steps, which do not take the 12 bytes/],
    [
      "a part of a number",
      changed(
        (content) => content,
        (floats) => floats.subarray(1),
      ),
      /do not take the 11 bytes/,
    ],
    [
      "a number that is not finite",
      changed(
        (content) => content,
        () => Buffer.alloc(12, 255),
      ),
      /not finite/,
    ],
    ["a score of none", changed(chapter({ scores: [1] })), /a chapter's score has no part of the data/],
    ["a score over 1", changed(chapter({ scores: [{ ...score("dev", 1), score: 2 }] })), /score: score must be <= 1/],
    [
      "a score of a later step",
      changed(chapter({ scores: [score("dev", 4)] })),
      /a score is of a step that is not there/,
    ],
    [
      "a cost in words",
      changed((content) => ({ ...content, cost: { ...content.cost, seconds: "8" } })),
      /cost: cost\.seconds must be number/,
    ],
  ])("whose hash fits but which holds %s is refused in one line", (_what, bytes, message) => {
    expectRefused(() => readCompact(bytes, "run.mezo"), message);
    const file = join(scratch(), "run.mezo");
    writeFileSync(file, bytes);
    expectRefused(() => readUnfinished(file), message);
  });

  test.skipIf(!shared("cases/files/compact-not-validated.jsonl"))(
    `of a stranger is refused in one line (${needs("cases/files/compact-not-validated.jsonl")})`,
    () =>
      expectRefused(
        () => readRun(shared("cases/files/compact-not-validated.jsonl")!),
        /a chapter has 9007199254740992 steps/,
      ),
  );
});

describe("what an error quotes of a file", () => {
  test.each<[string, (line: string) => string]>([
    ["a line of 9,000 nested lists", () => nested],
    ["a nested format", (line) => line.replace('"format":3', `"format":${nested}`)],
    ["a long format", (line) => line.replace('"format":3', `"format":"${"3".repeat(1e6)}"`)],
    ["a nested seed", (line) => line.replace('"seed":1', `"seed":${nested}`)],
    ["a field of a long name", (line) => line.replace('"seed"', `"${"x".repeat(1e6)}\\n"`)],
    ["an option of a long name", (line) => line.replace('"lr":', `"${"x".repeat(1e6)}\\u0007":[],"lr":`)],
  ])("is short, and in one line: %s", (_what, change) => {
    const file = join(scratch(), "run.jsonl");
    writeRun(file, run);
    const [header, ...lines] = readFileSync(file, "utf8").split("\n");
    writeFileSync(file, [change(header!), ...lines].join("\n"));
    expectRefused(() => readRun(file), / line 1/);
    writeFileSync(`${file}.part`, [change(header!), ...lines].join("\n"));
    expectRefused(() => createRunFile(file), /a run was cut short there/);
  });
});
