import { execFile } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { processorLevel } from "../../src/tensor/x86/library.ts";

const root = resolve(import.meta.dirname, "../..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const run = promisify(execFile);

/** An empty project, outside of this one. */
const project = mkdtempSync(join(tmpdir(), "mezo-consumer-"));
afterAll(() => rmSync(project, { recursive: true }));

/** The environment of a user: npm hands this project's settings on to what it starts, beside where its registry is. */
const isOurs = (name: string): boolean =>
  /^(npm_|MEZO_|VITEST|NODE_)/i.test(name) && !/^npm_config_(registry|cache|cafile|.*proxy)$/i.test(name);
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !isOurs(name)));

const minutes = 60_000;
const npm = (folder: string, ...args: string[]): Promise<{ stdout: string }> =>
  run("npm", args, { cwd: folder, env, timeout: 5 * minutes, maxBuffer: 2 ** 26 });
const inProject = (command: string, ...args: string[]): Promise<{ stdout: string }> =>
  run(command, args, { cwd: project, env, timeout: 5 * minutes });

/** Whether npm's registry answers: without it nothing can be installed. */
const isReached = await npm(project, "view", "fflate", "version", "--fetch-retries=0", "--fetch-timeout=20000").then(
  () => true,
  () => false,
);
if (!isReached) process.stderr.write("npm's registry is not reached: the package is not installed, and not tested.\n");

/** How Node of a major version is run: this process's, or that of npm's package `node`. */
function nodeOf(major: number): [command: string, ...first: string[]] {
  const isOwn = process.versions.node.startsWith(`${major}.`);
  return isOwn ? [process.execPath] : ["npx", "--yes", "-p", `node@${major}`, "node"];
}

const MAJORS = [20, 22, 24];

const PROGRAM = `
import { evaluate, loadModel, loadTask, mezo, saveFigure, table, tune } from "mezo-kit";
import { frame } from "mezo-kit/notebook";

const model = await loadModel();
const task = await loadTask("SST-2", { seed: 1, train: 8, dev: 8, test: 8 });
const zeroShot = await evaluate(model, task);
const tuned = await tune(model, task, mezo({ lr: 1e-4 }), { steps: 5 });
console.log(process.version, tuned.steps.length);
console.log(table([zeroShot, tuned]));
const messages = [await saveFigure({ data: [], layout: { width: 9, height: 9 } }, "picture").catch((e) => e.message)];
try { frame([{ a: 1 }]); } catch (error) { messages.push(error.message); }
console.log(messages.join("\\n"));
`;

const TYPED = `
import { evaluate, loadModel, loadTask, mezo, table, tune } from "mezo-kit";
export * as lab from "mezo-kit/lab";
export * as notebook from "mezo-kit/notebook";

const model = await loadModel();
const task = await loadTask("SST-2", { seed: 1 });
export const text: string = table([await evaluate(model, task), await tune(model, task, mezo({ lr: 1e-4 }), { steps: 5 })]);
export const rows: number = model.head.weight.shape[0]!;
// @ts-expect-error: a text is no number
export const wrong: number = text;
`;

const LEVEL = `
import { processorLevel } from "./node_modules/mezo-kit/dist/tensor/x86/library.js";
console.log(processorLevel());
`;

/** The kernels as this clone has them, for Linux on x86-64. */
const kernels = join(root, "src/tensor/x86/linux-x64.so");
const isForHere = existsSync(kernels) && process.platform === "linux" && process.arch === "x64";

/** The files of the packed package, by path, in bytes. */
let packed: ReadonlyMap<string, number>;
let tarballBytes: number;

beforeAll(async () => {
  if (!isReached) return;
  const [packing] = Object.values(
    JSON.parse((await npm(root, "pack", "--json", "--pack-destination", project)).stdout),
  );
  const { filename, files } = packing as { filename: string; files: { path: string; size: number }[] };
  packed = new Map(files.map(({ path, size }) => [path, size]));
  tarballBytes = statSync(join(project, filename)).size;
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  writeFileSync(join(project, "program.js"), PROGRAM);
  writeFileSync(join(project, "typed.ts"), TYPED);
  const own = readFileSync(join(root, "test/own/parallel.ts"), "utf8").replaceAll(
    /"\.\.\/\.\.\/src\/[^"]+"/g,
    '"mezo-kit"',
  );
  writeFileSync(join(project, "family.ts"), own);
  await Promise.all([
    npm(project, "install", `./${filename}`, "@types/node@20"),
    ...MAJORS.map((major) => run(nodeOf(major)[0], [...nodeOf(major).slice(1), "--version"], { cwd: tmpdir(), env })),
  ]);
}, 10 * minutes);

/** Bytes of all files below a folder. */
function bytesBelow(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

const compile = (...options: string[]): Promise<{ stdout: string }> =>
  inProject(process.execPath, join(root, "node_modules/typescript/bin/tsc"), "--noEmit", "--strict", ...options);

describe.skipIf(!isReached)("the packed package, installed with npm's defaults in an empty project", () => {
  test("has what it runs with and the bundled models once, in at most 5 MB beside these", () => {
    const models = [...packed].filter(([path]) => path.startsWith("data/models/"));
    const weights = [...packed.keys()].filter((path) => path.endsWith(".safetensors"));
    expect(weights).toEqual([
      "data/models/opt-reviews/model.safetensors",
      "data/models/roberta-reviews/model.safetensors",
    ]);
    const others = [...packed].filter(([path]) => !path.startsWith("data/models/"));
    expect(others.reduce((sum, [, size]) => sum + size, 0)).toBeLessThan(5e6);
    expect(tarballBytes).toBeLessThan(5e6 + models.reduce((sum, [, size]) => sum + size, 0));
    const folders = new Set(
      others.map(([path]) =>
        path
          .split("/")
          .slice(0, path.startsWith("data/") ? 2 : 1)
          .join("/"),
      ),
    );
    expect([...folders].sort()).toEqual(
      ["LICENSE", "README.md", "bin", "data/paper", "data/samples", "data/schema", "dist", "package.json"].sort(),
    );
  });

  test("takes at most 600 MB with all its dependencies, and none that only notebooks and pictures need", () => {
    expect(bytesBelow(join(project, "node_modules"))).toBeLessThan(600 * 2 ** 20);
    const optional = Object.keys(manifest.peerDependencies);
    expect(optional.length).toBeGreaterThan(3);
    expect(optional.filter((name) => existsSync(join(project, "node_modules", name)))).toEqual([]);
  });

  test.each(MAJORS)("evaluates and tunes on Node %d, and says what pictures and frames need", async (major) => {
    const [command, ...first] = nodeOf(major);
    const { stdout } = await inProject(command, ...first, "program.js");
    const [version, ...lines] = stdout.trim().split("\n");
    expect(version).toMatch(new RegExp(`^v${major}\\..* 5$`));
    expect(lines.join("\n")).toMatch(/│ Zero-shot[\s\S]*│ MeZO/);
    expect(lines.slice(-2)).toEqual([
      "A picture was to be drawn, but the package plotly.js-dist is not installed: npm install plotly.js-dist jsdom.",
      "A DataFrame was to be made, but the package danfojs-node is not installed: npm install danfojs-node.",
    ]);
  });

  test.skipIf(!isForHere)("has the kernels of its own, which run where nothing may be written", async () => {
    expect(packed.get("dist/tensor/x86/linux-x64.so")).toBe(statSync(kernels).size);
    const installed = join(project, "node_modules/mezo-kit/dist/tensor/x86");
    expect(readFileSync(join(installed, "linux-x64.so")).equals(readFileSync(kernels))).toBe(true);
    chmodSync(installed, 0o555);
    const { stdout } = await inProject(process.execPath, "--input-type=module", "--eval", LEVEL);
    chmodSync(installed, 0o755);
    expect(stdout.trim()).toBe(processorLevel());
  });

  test.each(MAJORS)("has a command that tells its version on Node %d", async (major) => {
    const [command, ...first] = nodeOf(major);
    const { stdout } = await inProject(command, ...first, "node_modules/mezo-kit/bin/mezo.js", "--version");
    expect(stdout.trim()).toBe(manifest.version);
  });

  test("has a command that prints its table, and says in a line why there is no picture", async () => {
    const { stdout } = await inProject("npx", "mezo", "table", "--smoke", "--method", "zero-shot");
    expect(stdout).toMatch(/│ Zero-shot/);
    expect(stdout.trim().split("\n").at(-1)).toBe(
      "Runs: data/runs/smoke   No picture was drawn, since the package plotly.js-dist is not installed: npm install plotly.js-dist jsdom",
    );
  });

  test.each([
    ["node16", "node16"],
    ["nodenext", "nodenext"],
    ["bundler", "esnext"],
  ])("has types that compile where libraries are checked and modules are found by %s", async (resolution, module) => {
    const how = ["--target", "es2022", "--module", module, "--moduleResolution", resolution, "typed.ts"];
    await expect(compile(...how)).resolves.toBeDefined();
    await expect(compile("--lib", "es2023", "--types", "node", ...how)).resolves.toBeDefined();
  });

  test("has types that fit TensorFlow.js's own in a model family of the project's", async () => {
    const how = ["--target", "es2022", "--module", "nodenext", "--skipLibCheck", "--types", "node", "family.ts"];
    await expect(compile(...how)).resolves.toBeDefined();
  });
});
