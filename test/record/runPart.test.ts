import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readRun } from "../../src/record/read.ts";
import type { Run } from "../../src/record/run.ts";
import { createRunFile, type RunFile, resumeRun, setAside, writeRun } from "../../src/record/write.ts";
import { run, score, scratch, step } from "./sampleRun.ts";

/** A run of which one step is written, its path and its `.part`. */
function underWay(): { readonly path: string; readonly part: string; readonly file: RunFile } {
  const path = join(scratch(), "run.jsonl");
  const file = createRunFile(path);
  file.start(run.header);
  file.step(step(0));
  return { path, part: `${path}.part`, file };
}

/** A run that was cut short after one step, with a torn line behind it. */
function cutShort(header = run.header): { readonly path: string; readonly part: string; readonly bytes: Buffer } {
  const path = join(scratch(), "run.jsonl");
  const file = createRunFile(path);
  file.start(header);
  file.step(step(0));
  file.release();
  appendFileSync(`${path}.part`, '{"step":1,"los');
  return { path, part: `${path}.part`, bytes: readFileSync(`${path}.part`) };
}

describe("a .part that another program has", () => {
  const CHANGES: readonly [string, (part: string) => void][] = [
    ["removed", (part) => rmSync(part)],
    [
      "replaced",
      (part) => {
        copyFileSync(part, `${part}.copy`);
        renameSync(`${part}.copy`, part);
      },
    ],
    ["cut", (part) => truncateSync(part, 40)],
    ["written to", (part) => appendFileSync(part, "{}\n")],
  ];

  test.each(CHANGES)("%s is noticed at the next write, which ends the run with one sentence", (what, change) => {
    for (const write of [
      (f: RunFile) => f.step(step(1)),
      (f: RunFile) => f.score(score("dev", 1)),
      (f: RunFile) => f.finish(run.cost),
    ]) {
      const { path, part, file } = underWay();
      change(part);
      const left = existsSync(part) ? readFileSync(part) : undefined;
      expect(() => write(file)).toThrow(new RegExp(`run\\.jsonl\\.part was ${what} by another program .*[^\\n]*$`));
      expect(existsSync(path)).toBe(false);
      expect(existsSync(part) ? readFileSync(part) : undefined).toEqual(left);
      expect(existsSync(`${path}.lock`)).toBe(false);
    }
  });

  test("edited without a change of its length is not given the run's name", () => {
    const { path, part, file } = underWay();
    writeFileSync(part, readFileSync(part, "utf8").replace('"seed":1', '"seed":2'));
    expect(() => file.finish(run.cost)).toThrow(/was edited by another program/);
    expect(existsSync(path)).toBe(false);
  });

  test("cut is resumed from what is left of it", () => {
    const { path, part, file } = underWay();
    file.step(step(1));
    truncateSync(part, readFileSync(part).length - 5);
    expect(() => file.step(step(2))).toThrow(/was cut .* --resume/);
    const again = resumeRun(path);
    expect(again.run!.steps).toEqual([step(0)]);
    again.file.release();
  });
});

describe("a run that was cut short", () => {
  test("is left byte for byte as it is by a resume that writes nothing", () => {
    const { path, part, bytes } = cutShort();
    const { file, torn } = resumeRun(path);
    expect(torn).toBe(true);
    file.release();
    expect(readFileSync(part)).toEqual(bytes);
    expect(readdirSync(join(path, ".."))).toEqual(["run.jsonl.part"]);
  });

  test("is not started over: that is refused with what to do, and nothing changed", () => {
    const { path, part, bytes } = cutShort();
    for (const begin of [() => createRunFile(path), () => writeRun(path, { ...run, steps: [step(1)] })])
      expect(begin).toThrow(
        /run\.jsonl\.part: a run was cut short there after 1 step: resume it with --resume, or remove/,
      );
    expect(readFileSync(part)).toEqual(bytes);
    expect(readdirSync(join(path, ".."))).toEqual(["run.jsonl.part"]);
  });

  test("is not started over either where what is there cannot be read", () => {
    const { path, part } = cutShort();
    writeFileSync(part, "something\nelse\n");
    expect(() => createRunFile(path)).toThrow(/a run was cut short there: resume it/);
    expect(() => resumeRun(path)).toThrow(/run\.jsonl\.part line 1 is no line of a run/);
    expect(readFileSync(part, "utf8")).toBe("something\nelse\n");
  });

  test("is started over where no step of it is there", () => {
    const { path, part } = cutShort();
    const [header] = readFileSync(part, "utf8").split("\n");
    for (const text of ["", '{"header', `${header}\n`, `${header}\n{"step":0`]) {
      writeFileSync(part, text);
      const { file, run: earlier } = resumeRun(path);
      expect(earlier).toBeUndefined();
      file.start(run.header);
      file.release();
      expect(existsSync(part)).toBe(false);
    }
  });

  test("by fine-tuning, whose steps cannot be replayed, is set aside and started over", () => {
    const fineTuned = { ...run.header, tuner: { name: "Adam", options: {} } };
    const { path, bytes } = cutShort(fineTuned);
    for (const n of [1, 2]) {
      const { file, aside } = resumeRun(path);
      expect(aside).toBe(`${path}.part.${n}`);
      expect(readFileSync(aside!)).toEqual(n === 1 ? bytes : expect.anything());
      file.start(fineTuned);
      file.step(step(0));
      file.release();
    }
  });

  test("can be set aside", () => {
    const { path, bytes } = cutShort();
    setAside(path);
    expect(readFileSync(`${path}.part.1`)).toEqual(bytes);
    setAside(path);
    expect(readdirSync(join(path, ".."))).toEqual(["run.jsonl.part.1"]);
  });

  test("between its last line and its name is only given the name", () => {
    const path = join(scratch(), "run.jsonl");
    writeRun(path, run);
    const bytes = readFileSync(path);
    renameSync(path, `${path}.part`);
    const { run: found, end } = resumeRun(path);
    expect(found).toEqual(run);
    end(found as Run);
    expect(readFileSync(path)).toEqual(bytes);
    expect(readdirSync(join(path, ".."))).toEqual(["run.jsonl"]);
  });

  test("is continued by writeRun from the same bytes", () => {
    const path = join(scratch(), "run.jsonl");
    writeRun(path, run);
    const bytes = readFileSync(path);
    rmSync(path);
    writeFileSync(`${path}.part`, bytes.subarray(0, 900));
    writeRun(path, run);
    expect(readFileSync(path)).toEqual(bytes);
  });
});

describe("a finished run", () => {
  test("stays as it is while another of its name is written, fails or is let go of", () => {
    const path = join(scratch(), "run.jsonl");
    writeRun(path, run);
    const bytes = readFileSync(path);
    const nan = { ...run, scores: [{ ...score("test", 3), loss: Number.NaN }] };
    expect(() => writeRun(path, nan)).toThrow(/loss is NaN/);
    const file = createRunFile(path);
    file.start(run.header);
    file.step(step(0));
    expect(() => file.step({ ...step(1), losses: [Number.NaN] })).toThrow(/is NaN/);
    expect(readFileSync(path)).toEqual(bytes);
    rmSync(`${path}.part`);
    expect(() => file.finish(run.cost)).toThrow(/was removed/);
    expect(readFileSync(path)).toEqual(bytes);
    expect(readRun(path)).toEqual(run);
  });

  test("that is resumed stays as it is", () => {
    const path = join(scratch(), "run.jsonl");
    writeRun(path, run);
    const bytes = readFileSync(path);
    const { run: found, end } = resumeRun(path);
    expect(readdirSync(join(path, ".."))).toEqual(["run.jsonl"]);
    end(found as Run);
    expect(readFileSync(path)).toEqual(bytes);
    expect(readdirSync(join(path, ".."))).toEqual(["run.jsonl"]);
  });

  test("that is resumed and made again with other settings is replaced when the new one is whole", () => {
    for (const made of [{ ...run, steps: [], scores: [score("test", 0)] }, run]) {
      const path = join(scratch(), "run.jsonl");
      writeRun(path, { ...run, header: { ...run.header, seed: 7 } });
      const { file, end } = resumeRun(path);
      if (made.steps.length > 0) {
        file.start(made.header);
        for (const each of made.steps) file.step(each);
        expect(readRun(path).header.seed).toBe(7);
        expect(existsSync(`${path}.lock`)).toBe(true);
      }
      end(made);
      expect(readRun(path).header.seed).toBe(1);
      expect(readdirSync(join(path, ".."))).toEqual(["run.jsonl"]);
    }
  });
});
