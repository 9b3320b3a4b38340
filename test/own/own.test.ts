import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Adapter } from "../../src/adapters/adapter.ts";
import { replay } from "../../src/experiment/replay.ts";
import { tune } from "../../src/experiment/tune.ts";
import { loadModel } from "../../src/models/load.ts";
import type { LanguageModel } from "../../src/models/network.ts";
import { diff } from "../../src/record/diff.ts";
import { readRun } from "../../src/record/read.ts";
import type { Run } from "../../src/record/run.ts";
import { resumeRun } from "../../src/record/write.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { defineTuner, tunerNamed } from "../../src/tuners/define.ts";
import type { Tuner } from "../../src/tuners/tuner.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { clippedMezo } from "./clippedMezo.ts";
import { keptMoves } from "./keptMoves.ts";
import { valueShift } from "./valueShift.ts";

const task = await loadTask("SST-2", { data: tinyData(), train: 24, dev: 12, test: 12, seed: 1 });
const path = (): string => join(mkdtempSync(join(tmpdir(), "own-")), "run.jsonl");

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(tinyModel());
});
afterAll(() => model.dispose());

const zeroth = { lr: 1e-2, eps: 1e-2 };
const CASES: readonly (readonly [string, Tuner, Adapter | undefined])[] = [
  ["a tuner made of the kit's parts", clippedMezo({ ...zeroth, most: 0.05, weightDecay: 0.1 }), undefined],
  ["a tuner made from nothing", keptMoves({ size: 1e-2 }), undefined],
  ["an adapter", clippedMezo(zeroth), valueShift({ size: 0.02 })],
];

/** Thrown by a recorder that stops the run. */
class Stop extends Error {}

describe.each(CASES)("%s that is defined in a file of its own outside the kit", (_what, tuner, adapter) => {
  const run = (file: string, stopAt = Number.POSITIVE_INFINITY): Promise<Run> => {
    const { file: record, run: resume, end } = resumeRun(file);
    const step = (one: Parameters<typeof record.step>[0]): void => {
      record.step(one);
      if (one.step === stopAt) throw new Stop();
    };
    const options = { steps: 6, batchSize: 4, evaluateEvery: 3, seed: 5, record: { ...record, step } };
    return tune(model, task, tuner, { ...options, ...(adapter && { adapter }), ...(resume && { resume }) }).then(
      (made) => {
        end(made);
        return made;
      },
    );
  };

  test("runs, is resumed to the bytes of the uninterrupted run, and replayed to the bit from its file alone", async () => {
    const [whole, cut] = [path(), path()];
    await run(whole);
    await expect(run(cut, 3)).rejects.toThrow(Stop);
    await run(cut);
    expect(diff(readRun(whole), readRun(cut))).toBeUndefined();
    const again = await replay(model, readRun(whole));
    expect(again.checked).toBe(true);
    again.dispose();
  });
});

test("a run of a tuner that is not defined here says what to import", () => {
  expect(() => tunerNamed("elsewhere", { lr: 1 })).toThrow(
    /no tuner of that name is defined.* import the file that defines it.*MeZO/,
  );
});

test("a tuner that is defined again takes the place of the first, as when a cell is run twice", () => {
  const make = (at: number) => ({ options: { at }, begin: keptMoves({ size: 1 }).begin });
  defineTuner("twice", () => make(1));
  defineTuner("twice", () => make(2));
  expect(tunerNamed("twice", {}).options).toEqual({ at: 2 });
});
