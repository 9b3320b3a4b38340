import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { makeRequest } from "../../src/measure/makeRequest.ts";
import { findMethod, isMarked, listMethods, methodNames, methods, plainName } from "../../src/measure/methods.ts";
import { loadModel } from "../../src/models/load.ts";
import { markOf } from "../../src/report/style.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { madeUpRun } from "../report/runs.ts";
import { tinyData, tinyModel } from "../tiny.ts";

const request = makeRequest({ smoke: true, steps: 2, batchSize: 2, shots: 2 });
const record = { start: () => {}, step: () => {}, score: () => {} };

test.each(methods)("$name, a row of the table, is all that it takes to run", async ({ name, run, ...row }) => {
  const model = await loadModel(tinyModel());
  const task = await loadTask("SST-2", { data: tinyData(), train: 12, dev: 4, test: 4, seed: 1 });
  const labels = new Set<string>();
  const onProgress = ({ label }: { readonly label: string }): void => void labels.add(label);
  const setup = { model: async () => model, task, seed: 1, request, onProgress, record };
  const { header, steps, scores } = await run(setup);
  expect(header).toMatchObject({ method: name, task: "SST-2", seed: 1 });
  expect(scores.findLast(({ on }) => on === "test")).toMatchObject({ n: 4 });
  expect(steps).toHaveLength("trainer" in row ? 2 : 0);
  expect(header.adapter?.name).toBe(row.adapter?.({}).name);
  // The progress of a run has its method's name, which the command line and notebooks go by.
  expect([...labels].filter((label) => label !== name)).toEqual([]);
  model.dispose();
});

test("a method is found by its name whatever its case and punctuation, and has a short one for files and flags", () => {
  for (const name of methodNames) {
    expect(findMethod(plainName(name))?.name).toBe(name);
    expect(findMethod(name.toUpperCase())?.name).toBe(name);
  }
  expect(plainName("MeZO (LoRA)")).toBe("mezo-lora");
  expect(findMethod("sgd")).toBeUndefined();
});

test("no two methods share a mark, and only the majority class has none", () => {
  const marked = methodNames.filter(isMarked);
  expect(methodNames.filter((name) => !isMarked(name))).toEqual(["Majority"]);
  expect(new Set(marked.map((name) => JSON.stringify(markOf(name)))).size).toBe(marked.length);
  expect(isMarked("my own")).toBe(true);
});

test("runs are listed in the order of the table, methods of one's own after them", () => {
  const runs = ["my own", "MeZO", "Zero-shot", "FT", "MeZO"].map((method) => madeUpRun(method, 0.5));
  expect(listMethods(runs)).toEqual(["Zero-shot", "FT", "MeZO", "my own"]);
});

test("no other file of src names methods with an adapter, or takes a name apart", () => {
  const src = resolve(import.meta.dirname, "../../src");
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const code = (file: string): string => readFileSync(join(src, file), "utf8").replace(/\/\*.*?\*\/|\/\/[^\n]*/gs, "");
  const named = /"(FT|MeZO) \((LoRA|prefix)\)"|startsWith\("(FT|MeZO)|\/\^\(?(FT|MeZO)/;
  expect(files.filter((file) => named.test(code(file)))).toEqual([join("measure", "methods.ts")]);
});
