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
  text: ["checkpoints"],
  models: ["tensor", "kernels", "nn", "checkpoints", "text"],
  adapters: ["tensor", "kernels", "nn", "checkpoints", "models"],
  tasks: ["checkpoints", "text"],
  tuners: ["tensor"],
  record: ["tensor", "tasks", "tuners", "adapters"],
  loss: ["tensor", "kernels", "nn", "text", "models", "tasks", "tuners", "record"],
  experiment: [
    ...["tensor", "kernels", "nn", "checkpoints", "text", "models", "adapters", "tasks", "tuners", "record", "loss"],
  ],
  cluster: ["tensor", "text", "models", "adapters", "tasks", "tuners", "record", "loss", "experiment"],
  measure: [
    ...["tensor", "checkpoints", "models", "adapters", "tasks", "tuners", "record", "loss", "experiment", "cluster"],
  ],
  report: ["tensor", "record", "experiment", "measure"],
  lab: [
    ...["tensor", "kernels", "nn", "text", "models", "adapters", "tasks", "tuners", "record", "loss", "experiment"],
    ...["measure", "report"],
  ],
  cli: [
    ...["tensor", "nn", "text", "models", "adapters", "tasks", "record", "experiment", "cluster", "measure", "report"],
    "lab",
  ],
  notebook: ["tensor", "record", "cluster", "measure", "report", "cli"],
  // What runs notebooks, for the terminal and for Jupyter: it loads the kit for cells.
  "cli/notebooks": ["cli", "measure", "notebook"],
};

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
/** The room of a file: its folder of src/, or the one below it where that has a line of its own. */
const folderOf = (file: string): string => {
  const [folder, below] = file.split("/");
  return `${folder}/${below}` in MAY_IMPORT ? `${folder}/${below}` : folder!;
};

const textOf = (file: string): string => readFileSync(join(src, file), "utf8");

/** An import in any form: static, for its effects alone, dynamic, or by require. */
const IMPORT = /\b(?:from|import|require)\s*\(?\s*["'`](\.{1,2}\/[^"'`]+)["'`]/g;
/** A file that is named beside this one, to be run as a process or a thread of its own. */
const BESIDE = /\bnew URL\(\s*["'`]([^"'`$:]+)["'`],\s*import\.meta\.url/g;

/** Files of src/ that a file names by a pattern; in dist/ they end in .js. */
function namedIn(file: string, text: string, pattern: RegExp): string[] {
  const paths = [...text.matchAll(pattern)].map(([, path]) => relative(src, resolve(src, dirname(file), path!)));
  return paths.map((path) => path.replace(/\.js$/, ".ts")).filter((path) => !path.startsWith(".."));
}

const importsOf = (file: string, text = textOf(file)): string[] => namedIn(file, text, IMPORT);

/** "cli/a.ts imports nn/b.ts" for everything that a file names and its folder must not. */
function wrongIn(file: string, text = textOf(file)): string[] {
  const folder = folderOf(file);
  if (folder === "index.ts") return [];
  const allowed = ["error.ts", folder, ...(MAY_IMPORT[folder] ?? [])];
  const named = [...importsOf(file, text), ...namedIn(file, text, BESIDE)];
  return named.filter((other) => !allowed.includes(folderOf(other))).map((other) => `${file} imports ${other}`);
}

/** A chain of imports that comes back to its beginning, where there is one. */
function cycleIn(files: readonly string[], importsOf: (file: string) => readonly string[]): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, chain: readonly string[]): string[] | undefined => {
    if (chain.includes(file)) return [...chain.slice(chain.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const other of importsOf(file)) {
      const cycle = visit(other, [...chain, file]);
      if (cycle) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of files) {
    const cycle = visit(file, []);
    if (cycle) return cycle;
  }
  return undefined;
}

test("every folder imports only what stands left of it, and no chain of imports comes back to its beginning", () => {
  expect(Object.keys(MAY_IMPORT)).toEqual(
    expect.arrayContaining(files.filter((file) => file.includes("/")).map(folderOf)),
  );
  expect(files.flatMap((file) => wrongIn(file))).toEqual([]);
  expect(cycleIn(files, importsOf)).toBeUndefined();
});

test("imports are seen in every form, and a cycle is told by its chain", () => {
  const forms = [
    'import { a } from "../cli/static.ts";',
    'export type { b } from "../cli/type.ts";',
    'import "../cli/effect.ts";',
    'const c = await import(\n  "../cli/dynamic.ts"\n);',
    'require("../cli/require.ts")',
    'fork(new URL("../cli/process.js", import.meta.url))',
    'import { d } from "../error.ts"; import { e } from "./own.ts"; new URL("../../data/x.json", import.meta.url);',
  ].join("\n");
  const names = ["static", "type", "effect", "dynamic", "require", "process"];
  expect(wrongIn("nn/a.ts", forms)).toEqual(names.map((name) => `nn/a.ts imports cli/${name}.ts`));
  const graph: Record<string, string[]> = { a: ["b"], b: ["c", "d"], c: [], d: ["b"] };
  expect(cycleIn(Object.keys(graph), (file) => graph[file]!)).toEqual(["b", "d", "b"]);
});

test("only tensor, kernels, nn, models, adapters, loss, experiment, lab and the GPU install know TensorFlow.js", () => {
  const using = files.filter((file) => textOf(file).includes('"@tensorflow/tfjs'));
  const allowed = new Set(["tensor", "kernels", "nn", "models", "adapters", "loss", "experiment", "lab", "cli"]);
  expect(using.filter((file) => !allowed.has(folderOf(file)))).toEqual([]);
  expect(using.length).toBeGreaterThan(5);
});

test("every file of src/ is under 300 lines, generated ones aside", () => {
  const long = files.filter((file) => !file.endsWith("generated.ts") && textOf(file).split("\n").length > 300);
  expect(long).toEqual([]);
});

test("src/ has at most 370 files", () => {
  expect(files.length).toBeLessThanOrEqual(370);
});

/** A package of npm's that is imported in any form; its parts, after a slash, count as the package. */
const PACKAGE =
  /(?:^(?:import|export|\}).* from |^import |\bimport\(|\brequire(?:\.resolve)?\()["'`]((?:@[\w-]+\/)?[a-z][\w.-]*)(?:\/[^"'`]*)?["'`]/gm;

test("the code imports only packages that whoever installs the kit has, or is told of", () => {
  const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
    readFileSync(resolve(src, "../package.json"), "utf8"),
  );
  const known = { ...dependencies, ...optionalDependencies, ...peerDependencies };
  const used = new Map(files.flatMap((file) => [...textOf(file).matchAll(PACKAGE)].map(([, name]) => [name!, file])));
  const missing = [...used].filter(([name]) => !(name in known) && name !== "onnxruntime-node");
  expect(missing).toEqual([]);
  expect(used.size).toBeGreaterThan(15);
  expect(Object.keys(peerDependencies)).toEqual(Object.keys(peerDependenciesMeta));
});
