import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readRun } from "../../src/record/read.ts";
import type { Run } from "../../src/record/run.ts";
import { root } from "./runNotebooks.ts";

const folder = join(root, "data/runs/live-smollm2");
const runs = readdirSync(folder).map((name) => readRun(join(folder, name)));
const of = (method: string): Run[] => runs.filter(({ header }) => header.method === method);
const scored = ({ scores }: Run) => scores.filter(({ on }) => on === "test").at(-1)!;

interface Notebook {
  readonly cells: readonly { readonly id: string; readonly source: readonly string[] }[];
}

/** The number that the live section of notebook 05 has for a name, at the laptop's scale. */
function settingOf(name: string): number {
  const { cells } = JSON.parse(readFileSync(join(root, "notebooks/05-mezo.ipynb"), "utf8")) as Notebook;
  const source = cells.find(({ id }) => id === "live-settings")!.source.join("");
  const [, whole] = /const whole = \{([\s\S]*?)\n\};/.exec(source)!;
  return Number(new RegExp(`\\b${name}: ([-\\de.]+)`).exec(whole!)![1]);
}

test("each recorded run of notebook 05's live section gains more than twice the standard error of its gain", () => {
  expect(of("MeZO").map(({ header }) => header.seed)).toEqual([1, 2, 3]);
  for (const run of of("MeZO")) {
    const before = scored(of("Zero-shot").find(({ header }) => header.seed === run.header.seed)!);
    const after = scored(run);
    expect(after.score - before.score).toBeGreaterThan(2 * Math.hypot(before.standardError, after.standardError));
  }
});

test("they have the settings that it trains with live, so that a seed can be repeated", () => {
  const [train, dev, test, steps, evaluateEvery] = ["train", "dev", "test", "steps", "evaluateEvery"].map(settingOf);
  for (const { header } of of("MeZO")) {
    expect(header.split).toEqual({ train, dev, test });
    expect(header.settings).toMatchObject({ steps, evaluateEvery, batchSize: 8 });
    expect(header.tuner!.options).toMatchObject({ lr: settingOf("lr"), eps: settingOf("eps") });
  }
});
