import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const src = resolve(import.meta.dirname, "../src");

/** What each folder may import, beside itself and src/error.ts. Data flows one way. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  tensor: [],
  kernels: ["tensor"],
  nn: ["tensor", "kernels"],
  checkpoints: [],
  text: [],
  tasks: ["text"],
  models: ["tensor", "kernels", "nn", "checkpoints", "text"],
  adapters: ["tensor", "kernels", "nn", "checkpoints", "models"],
  tuners: ["tensor"],
  experiment: ["tensor", "kernels", "nn", "models", "adapters", "text", "tasks", "tuners"],
  report: ["experiment", "tensor"],
  notebook: ["tensor", "experiment", "report", "cli"],
  cli: [
    "tensor",
    "kernels",
    "nn",
    "checkpoints",
    "models",
    "adapters",
    "text",
    "tasks",
    "tuners",
    "experiment",
    "report",
  ],
};

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
const folderOf = (file: string): string => file.split("/")[0]!;

/** Files of src/ that a file imports. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), "utf8");
  return [...text.matchAll(/from "(\.[^"]+)"/g)].map(([, path]) => relative(src, resolve(src, dirname(file), path!)));
}

test.each(files.filter((file) => file.includes("/")))("%s imports only what stands left of it", (file) => {
  const folder = folderOf(file);
  expect(Object.keys(MAY_IMPORT)).toContain(folder);
  const wrong = importsOf(file).filter(
    (other) => other !== "error.ts" && folderOf(other) !== folder && !MAY_IMPORT[folder]!.includes(folderOf(other)),
  );
  expect(wrong).toEqual([]);
});

test("only tensor, kernels, nn, models, adapters and experiment know TensorFlow.js", () => {
  const using = files.filter((file) => readFileSync(join(src, file), "utf8").includes('"@tensorflow/tfjs'));
  const allowed = new Set(["tensor", "kernels", "nn", "models", "adapters", "experiment", "cli"]);
  expect(using.filter((file) => !allowed.has(folderOf(file)))).toEqual([]);
  expect(using.length).toBeGreaterThan(5);
});

test("every file of src/ is under 260 lines, generated ones aside", () => {
  const long = files.filter(
    (file) => !file.endsWith("generated.ts") && readFileSync(join(src, file), "utf8").split("\n").length > 260,
  );
  expect(long).toEqual([]);
});
