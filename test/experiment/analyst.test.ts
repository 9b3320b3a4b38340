import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import seedrandom from "seedrandom";
import { expect, test } from "vitest";
import {
  adam,
  bestModel,
  classification,
  classify,
  loadModel,
  loadTask,
  loadTuned,
  report,
  saveTuned,
  tune,
} from "../../src/index.ts";
import { tinyModel } from "../tiny.ts";

/** Rows of four moods, each told by one word among others, as a spreadsheet would be saved. */
const MOODS = { film: "warm", plot: "dull", cast: "fine", but: "poor" } as const;
const folder = mkdtempSync(join(tmpdir(), "analyst-"));
const csv = join(folder, "tickets.csv");
const tuned = join(folder, "tuned");
const random = seedrandom.alea("tickets");
const texts = Array.from({ length: 300 }, (_, i) => {
  const filler = Array.from({ length: 8 }, () => ["the", "a", "and", "was", "It"][Math.floor(random() * 5)]!);
  return filler.toSpliced(Math.floor(random() * 8), 1, Object.keys(MOODS)[i % 4]!).join(" ");
});
writeFileSync(csv, `text,mood\n${texts.map((text, i) => `${text},${Object.values(MOODS)[i % 4]}`).join("\n")}\n`);
const base = tinyModel();

const fresh = ["It was the film", "a plot was and", "the cast", "but It was"];

test("from a CSV of 300 rows with four classes to answers for new rows, in ten lines", async () => {
  const model = await loadModel(base);
  const task = await loadTask(classification({ text: "text", label: "mood" }), { data: csv });
  const run = await tune(model, task, adam({ lr: 1e-2 }), { steps: 80, keepBest: true });
  const best = await bestModel(model, task, run);
  const { accuracy } = await report(best.model, task);
  const answers = await classify(best.model, best.task, fresh);
  await saveTuned(best, tuned);

  expect(accuracy).toBe(run.scores.findLast(({ on }) => on === "test")!.score);
  expect(accuracy).toBeGreaterThan(0.9);
  expect(answers.map(({ label }) => label)).toEqual(["warm", "dull", "fine", "poor"]);
  expect(existsSync(join(tuned, "config.json"))).toBe(true);
  best.dispose();
  model.dispose();

  const loaded = await loadTuned(tuned);
  expect(await classify(loaded.model, loaded.task, fresh)).toEqual(answers);
  loaded.dispose();
});
