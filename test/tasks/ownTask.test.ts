import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  createRunFile,
  evaluate,
  loadModel,
  loadTask,
  mezo,
  type RunRecorder,
  readRun,
  replay,
  resumeRun,
  type TaskDefinition,
  tune,
} from "../../src/index.ts";
import { tone } from "../own/toneTask.ts";
import { scriptedModel } from "../scripted.ts";
import { tinyModel } from "../tiny.ts";
import { dataFolder } from "./dataFolder.ts";

/** Twelve lines of words that the tiny model knows, half of them praise. */
function lines(): string {
  const rows = ["film", "plot", "cast", "the film", "the plot", "the cast"].flatMap((work) => [
    `${work} was warm\tgood`,
    `${work} was poor\tbad`,
  ]);
  return join(dataFolder({ "lines.tsv": `line\ttone\n${rows.join("\n")}\n` }), "lines.tsv");
}

const load = (definition: TaskDefinition = tone) =>
  loadTask(definition, { data: lines(), train: 6, dev: 3, test: 3, seed: 0 });

describe("a task from outside the kit", () => {
  test("is loaded with its rows and scored in its autoregressive form", async () => {
    const task = await load();
    expect([task.name, task.train.length, task.dev.length, task.test.length]).toEqual(["Tone", 6, 3, 3]);
    const model = scriptedModel("film plot cast the was warm poor It dull fine", { was: { fine: 0.6, dull: 0.2 } });
    const { scores } = await evaluate(model, task, {});
    const right = task.test.filter(({ gold }) => gold[0] === 1).length;
    expect(scores.at(-1)!.score).toBe(right / 3);
    model.dispose();
  });

  test("is scored in its masked form", async () => {
    const task = await load();
    const script = { film: { fine: 0.6 }, plot: { fine: 0.6 }, cast: { fine: 0.6 }, the: { fine: 0.6 } };
    const model = scriptedModel("film plot cast the was warm poor It dull fine", script, { masked: true });
    const { scores } = await evaluate(model, task, {});
    expect(scores.at(-1)!.score).toBe(task.test.filter(({ gold }) => gold[0] === 1).length / 3);
    expect(model.seen.length).toBeGreaterThan(0);
    model.dispose();
  });

  test("is tuned; its run is written, resumed after a cut and replayed to the same weights", async () => {
    const [model, task] = [await loadModel(tinyModel()), await load()];
    const tuner = mezo({ lr: 1e-3, eps: 1e-3 });
    const settings = { steps: 2, batchSize: 2, evaluateEvery: 1, seed: 3 };
    const whole = await tune(model, task, tuner, settings);

    const path = join(dataFolder({}), "tone.jsonl");
    const file = createRunFile(path);
    await expect(tune(model, task, tuner, { ...settings, record: cutAfterOneStep(file) })).rejects.toThrow("cut");
    expect([existsSync(path), existsSync(`${path}.part`)]).toEqual([false, true]);

    const { run: left, file: rest, end } = resumeRun(path);
    expect(left!.steps.length).toBe(1);
    end(await tune(model, task, tuner, { ...settings, resume: left!, record: rest }));
    const run = readRun(path);
    expect(run.header).toMatchObject({ task: "Tone", metric: "accuracy" });
    expect(run.steps).toEqual(whole.steps);
    expect(run.scores.map(({ theta }) => theta)).toEqual(whole.scores.map(({ theta }) => theta));

    const replayed = await replay(model, run);
    expect(replayed.checked).toBe(true);
    replayed.dispose();
    model.dispose();
  });
});

/** A recorder that writes one step and then fails, as where a process is killed. */
function cutAfterOneStep(file: RunRecorder): RunRecorder {
  let steps = 0;
  return {
    ...file,
    step: (step) => {
      if (++steps > 1) throw new Error("cut");
      file.step(step);
    },
  };
}

const one = /^[^\n]*\.$/;
const autoregressive = tone.autoregressive!;
const masked = tone.masked!;

test.each<[string, Partial<Record<keyof TaskDefinition, unknown>>, string]>([
  [
    "a prompt that is not text",
    { autoregressive: { ...autoregressive, prompt: () => 5 } },
    "gives 5 as autoregressive.prompt",
  ],
  [
    "options that are not a list",
    { autoregressive: { ...autoregressive, options: () => "dull" } },
    "autoregressive.options, which must be a list of texts",
  ],
  ["a form without options", { masked: { prompt: masked.prompt } }, "needs the functions prompt and options in masked"],
  [
    "a masked prompt without its mask",
    { masked: { ...masked, prompt: () => ({ parts: [], maxLength: 9 }) } },
    "masked.prompt, which must be { parts, maxLength } with one MASK",
  ],
  ["an index alone", { gold: () => 1 }, "gives 1 as gold, which must be a list of indices"],
  [
    "a function with a mistake",
    { gold: (row: { at: string }) => [row.at.length] },
    "fails in gold (Cannot read properties of undefined",
  ],
  ["rows that are not a list", { unpack: () => undefined }, "gives nothing as unpack, which must be a list of rows"],
  ["a size in words", { devSize: "many" }, 'needs a whole number of at least 1 as devSize, not "many"'],
  ["classes of another kind", { classes: 2 }, 'has the classes 2: give "none" or leave classes out'],
  ["rows as a value", { defaultRows: [] }, "needs a function as defaultRows, or none"],
])("%s is refused in one sentence with the task and the field", async (_, change, sentence) => {
  const error: Error = await load({ ...tone, ...change } as TaskDefinition).then(
    () => expect.unreachable(),
    (error) => error,
  );
  expect(error.message).toContain(sentence);
  expect(error.message).toContain('the task "Tone"');
  expect(error.message).toMatch(one);
});
