import { execFile, execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Notebook, sourceOf } from "../../src/cli/notebooks/runNotebook.ts";
import { abandonment, interruption } from "../../src/notebook/display.ts";
import { readRun } from "../../src/record/read.ts";

const root = resolve(import.meta.dirname, "../..");
/** Inside the project, since cells find the kit in a node_modules above them; git ignores it. */
const scratch = join(root, "data/runs/smoke/test-jupyter");
const kernels = mkdtempSync(join(tmpdir(), "kernels-"));
const jupyter = join(root, "dist/cli/notebooks/jupyter.js");

/** Debian's packages are those of its own Python, which another may hide. */
const PYTHONS = ["python3", "/usr/bin/python3"];
const python = PYTHONS.find((name) => spawnSync(name, ["-c", "import nbclient"]).status === 0);
const needed = `needs nbclient (looked for with ${PYTHONS.join(", ")}; install Debian's python3-nbclient, or pip install nbclient)`;

interface Ran {
  readonly count: number | null;
  readonly seconds: number;
  /** How many messages of each type the kernel sent. */
  readonly messages: Readonly<Record<string, number>>;
  readonly outputs: readonly {
    readonly output_type: string;
    readonly name?: string;
    readonly text?: string;
    readonly evalue?: string;
    readonly data?: Readonly<Record<string, string>>;
  }[];
}

/** Runs a notebook through Jupyter's own client. */
async function throughJupyter(path: string, env: NodeJS.ProcessEnv = {}): Promise<{ cells: Ran[]; isAlive: boolean }> {
  const { stdout } = await promisify(execFile)(python!, [join(import.meta.dirname, "client.py"), path], {
    env: { ...process.env, JUPYTER_PATH: kernels, ...env },
    maxBuffer: 64 * 1024 ** 2,
  });
  return JSON.parse(stdout);
}

interface Cell {
  readonly source: string;
  /** A file that gets a line for each text that arrives. */
  readonly seen?: string;
  /** When the cell is interrupted: a file, and the number of lines in it; or seconds after the cell was sent. */
  readonly interrupt?: { readonly file: string; readonly lines: number } | { readonly seconds: number };
}

function write(name: string, cells: readonly Cell[]): string {
  const path = join(scratch, name);
  const code = cells.map(({ source, ...metadata }) => ({
    ...{ cell_type: "code", execution_count: null, outputs: [] },
    metadata,
    source,
  }));
  writeFileSync(path, JSON.stringify({ cells: code, metadata: {}, nbformat: 4, nbformat_minor: 4 }));
  return path;
}

/** The code of a notebook. */
const cellsOf = (path: string): string[] =>
  (JSON.parse(readFileSync(path, "utf8")) as Notebook).cells
    .filter(({ cell_type }) => cell_type === "code")
    .map(sourceOf);

const textOf = ({ outputs }: Ran, stream = "stdout"): string =>
  outputs.map(({ name, text }) => (name === stream ? text : "")).join("");

const typesOf = ({ outputs }: Ran): string[][] => outputs.map(({ data = {} }) => Object.keys(data).sort());
const errorsOf = ({ outputs }: Ran) => outputs.filter(({ output_type }) => output_type === "error");

describe.skipIf(!python)(`Jupyter's own client${python ? "" : `: ${needed}`}`, () => {
  beforeAll(() => {
    mkdirSync(scratch, { recursive: true });
    execFileSync(process.execPath, [jupyter, "--install", kernels]);
  });
  afterAll(() => {
    for (const folder of [scratch, kernels]) rmSync(folder, { recursive: true, force: true });
  });

  test("--install puts the kernel, with absolute paths, into the folder that is named", () => {
    expect(readdirSync(kernels, { recursive: true })).toContain(join("kernels", "tslab", "kernel.json"));
    const { argv } = JSON.parse(readFileSync(join(kernels, "kernels/tslab/kernel.json"), "utf8"));
    expect(argv[0]).toBe(process.execPath);
    expect(existsSync(argv.at(-2))).toBe(true);
  });

  test("runs the quickstart: counts from 1, no error, live progress with its chart, a table and an interactive figure", async () => {
    const { cells } = await throughJupyter(join(root, "notebooks/00-quickstart.ipynb"), { MEZO_SCALE: "smoke" });
    expect(cells.map(({ count }) => count)).toEqual(cells.map((_, i) => i + 1));
    expect(cells.flatMap(errorsOf)).toEqual([]);
    const shown = cells.flatMap(typesOf);
    expect(shown).toContainEqual(["text/html", "text/plain"]);
    expect(shown).toContainEqual(["application/vnd.plotly.v1+json", "image/png", "text/html", "text/plain"]);
    const training = cells.find(({ outputs }) => outputs[0]?.data?.["text/plain"]?.startsWith("MeZO"))!;
    expect(typesOf(training)).toEqual([["text/plain"], ["application/vnd.plotly.v1+json", "text/html", "text/plain"]]);
    expect(training.outputs[0]!.data!["text/plain"]).toMatch(/█{20} {2}\d+\/\d+ .*[▁-█]{2,}$/);
    expect(training.messages.update_display_data).toBeGreaterThan(0);
  });

  test("ends an interrupted tune with one sentence, and continues it when the cell is run again", async () => {
    const name = "interrupted";
    const part = join(scratch, `${name}.jsonl.part`);
    const tuning = `const run = await recorded("${name}", (past) =>
      tune(model, task, mezo({ lr: 1e-4 }), { steps: 100, batchSize: 4, seed: 1, evaluateEvery: 100, onProgress: liveProgress(), ...past }), ".");`;
    const path = write("interrupted.ipynb", [
      { source: 'import { loadModel, loadTask, mezo, tune } from "mezo-kit";' },
      { source: 'import { liveProgress, recorded } from "mezo-kit/notebook";' },
      {
        source:
          'const model = await loadModel();\nconst task = await loadTask("SST-2", { train: 64, dev: 8, test: 8 });',
      },
      { source: tuning, interrupt: { file: part, lines: 20 } },
      { source: `import { copyFileSync } from "node:fs";\ncopyFileSync("${name}.jsonl.part", "kept");` },
      { source: tuning },
      { source: "console.log(run.steps.length);" },
    ]);
    const { cells, isAlive } = await throughJupyter(path, { MEZO_SCALE: "laptop" });
    const interrupted = cells[3]!;
    expect(errorsOf(interrupted)).toMatchObject([{ ename: "KitError", evalue: interruption().message }]);
    expect(errorsOf(interrupted)[0]).toHaveProperty("traceback", [`KitError: ${interruption().message}`]);
    expect(cells.flatMap(errorsOf)).toHaveLength(1);
    const kept = readFileSync(join(scratch, "kept"), "utf8");
    const steps = kept.split("\n").filter((line) => line.startsWith('{"step"')).length;
    expect(steps).toBeGreaterThanOrEqual(15);
    expect(steps).toBeLessThan(100);
    const finished = join(scratch, `${name}.jsonl`);
    expect(readFileSync(finished, "utf8").startsWith(kept)).toBe(true);
    expect(readRun(finished).steps).toHaveLength(100);
    expect(existsSync(part)).toBe(false);
    expect(cells.at(-1)!.outputs).toMatchObject([{ text: "100\n" }]);
    expect(isAlive).toBe(true);
  });

  test("ends an interrupted measure with one sentence, and continues it when the cell is run again", async () => {
    const run = join(scratch, "sst-2-opt-reviews-mezo-seed1.jsonl");
    const measuring = `const runs = await measure({ methods: ["MeZO"], train: 32, dev: 8, test: 8, steps: 250, batchSize: 4, threads: 1, out: "." });`;
    const path = write("measured.ipynb", [
      { source: 'import { measure } from "mezo-kit/notebook";' },
      { source: measuring, interrupt: { file: `${run}.part`, lines: 15 } },
      { source: `import { copyFileSync } from "node:fs";\ncopyFileSync("${run}.part", "kept-measure");` },
      { source: measuring },
      { source: "console.log(runs.map(({ steps }) => steps.length));" },
    ]);
    const { cells } = await throughJupyter(path, { MEZO_SCALE: "laptop" });
    expect(errorsOf(cells[1]!)).toMatchObject([{ evalue: interruption().message }]);
    expect(cells.flatMap(errorsOf)).toHaveLength(1);
    const kept = readFileSync(join(scratch, "kept-measure"), "utf8");
    const whole = kept.slice(0, kept.lastIndexOf("\n") + 1);
    expect(whole.split("\n").length).toBeGreaterThan(15);
    expect(readFileSync(run, "utf8").startsWith(whole)).toBe(true);
    expect(cells.at(-1)!.outputs).toMatchObject([{ text: "[ 250 ]\n" }]);
  });

  test("shows the compiler's message for a type error, and ends a loop that never ends its turn and a wait for nothing with a sentence", async () => {
    const marker = join(scratch, "waiting");
    const path = write("cells.ipynb", [
      { source: "const text: string = 1;" },
      {
        source: `import { writeFileSync } from "node:fs";\nwriteFileSync("waiting", "\\n");\nfor (;;);`,
        interrupt: { file: marker, lines: 1 },
      },
      { source: 'console.log("alive");' },
      { source: "await new Promise(() => {});", interrupt: { seconds: 0.5 } },
    ]);
    const { cells } = await throughJupyter(path);
    expect(errorsOf(cells[0]!)).toMatchObject([
      { ename: "TypeScriptError", evalue: "1:7 - Type 'number' is not assignable to type 'string'." },
    ]);
    expect(errorsOf(cells[1]!)).toMatchObject([{ evalue: interruption().message }]);
    expect(cells[2]!.outputs).toMatchObject([{ text: "alive\n" }]);
    expect([interruption().message, abandonment().message]).toContain(errorsOf(cells[3]!)[0]?.evalue);
    expect(cells.map(({ count }) => count)).toEqual([1, 2, 3, 4]);
  });

  test("ends the quickstart's cells that load, tune and draw with a sentence when they are interrupted, and runs them when they are run again", async () => {
    const after = (milliseconds: number): string =>
      `void setTimeout(() => { process.kill(process.pid, "SIGINT"); }, ${milliseconds});`;
    const moments: Readonly<Record<number, string>> = { 2: after(0), 4: after(100), 6: after(0) };
    const sources = cellsOf(join(root, "notebooks/00-quickstart.ipynb"));
    const cells = sources.flatMap((source, i) => [
      ...(moments[i] ? [{ source: `${moments[i]}\n${source}`, isInterrupted: true }] : []),
      { source },
    ]);
    const { cells: ran, isAlive } = await throughJupyter(write("anywhere.ipynb", cells), { MEZO_SCALE: "smoke" });
    const sentences = [interruption().message, abandonment().message];
    for (const [i, cell] of cells.entries()) {
      const errors = errorsOf(ran[i]!).map(({ evalue }) => evalue);
      if ("isInterrupted" in cell) expect(sentences).toContain(errors.join());
      else expect(errors).toEqual([]);
    }
    expect(isAlive).toBe(true);
  });

  test("loads a module again whose loading was interrupted", async () => {
    writeFileSync(
      join(scratch, "half.cjs"),
      'const fs = require("node:fs");\nif (!fs.existsSync("half")) { fs.writeFileSync("half", "\\n"); for (;;); }\nmodule.exports = "whole";',
    );
    const source = 'console.log(require("./half.cjs"));';
    const path = write("half.ipynb", [{ source, interrupt: { file: join(scratch, "half"), lines: 1 } }, { source }]);
    const { cells } = await throughJupyter(path);
    expect(errorsOf(cells[0]!)).toMatchObject([{ evalue: interruption().message }]);
    expect(textOf(cells[1]!)).toBe("whole\n");
  });

  test("loses none of 100,000 lines to a client that takes 2.5 ms a message, nor of lines that change between the streams", async () => {
    const path = write("lines.ipynb", [
      { source: 'for (let i = 0; i < 100_000; i++) console.log("line", i);' },
      { source: 'for (let i = 0; i < 20_000; i++) { console.log("out", i); console.error("err", i); }' },
    ]);
    const { cells } = await throughJupyter(path, { SECONDS_PER_MESSAGE: "0.0025" });
    const lines = (word: string, count: number): string =>
      Array.from({ length: count }, (_, i) => `${word} ${i}\n`).join("");
    expect(textOf(cells[0]!) === lines("line", 100_000)).toBe(true);
    expect(textOf(cells[1]!, "stdout") === lines("out", 20_000)).toBe(true);
    expect(textOf(cells[1]!, "stderr") === lines("err", 20_000)).toBe(true);
  });

  test("keeps the order of both streams and displays, is live, and shows what comes after the cell's last turn", async () => {
    const path = write("order.ipynb", [
      { source: 'import { display } from "mezo-kit/notebook";\nimport { existsSync, readFileSync } from "node:fs";' },
      {
        source:
          'console.log("a"); console.error("b"); console.log("c"); void display({ "text/plain": "shown" }); console.log("d");',
      },
      {
        // It goes on, without a turn, when the client has seen both lines.
        source: `console.log("loading"); console.log("10 %");
while (!existsSync("seen") || readFileSync("seen", "utf8").length < 2);
console.log("done");`,
        seen: join(scratch, "seen"),
      },
      { source: 'console.log("before"); void Promise.reject(new Error("unheard"));' },
      {
        source:
          'import { execFileSync } from "node:child_process";\nexecFileSync(process.execPath, ["-e", "console.error(1)"], { stdio: "inherit" });\nconsole.log("own");',
      },
      { source: 'void setTimeout(() => console.log("late"), 200);' },
      { source: 'await new Promise((done) => setTimeout(done, 600));\nconsole.log("next");' },
      { source: 'console.log("shown before the error"); throw new Error("broken");' },
      { source: "throw undefined;" },
    ]);
    const { cells } = await throughJupyter(path);
    const [, order, live, unheard, native, , next, failed] = cells.map((cell) =>
      cell.outputs.map(({ name, text, data, evalue }) => [name, text ?? data?.["text/plain"] ?? evalue]),
    );
    expect(order).toEqual([
      ["stdout", "a\n"],
      ["stderr", "b\n"],
      ["stdout", "c\n"],
      [undefined, "shown"],
      ["stdout", "d\n"],
    ]);
    expect(live!.map(([, text]) => text).join("")).toBe("loading\n10 %\ndone\n");
    expect(unheard![1]).toEqual(["stderr", expect.stringContaining("Error: unheard")]);
    expect(native).toEqual([["stdout", "own\n"]]);
    expect(next).toEqual([["stdout", "next\n"]]);
    expect(cells.at(-1)!.outputs).toMatchObject([{ output_type: "error", evalue: "undefined" }]);
    expect(failed).toEqual([
      ["stdout", "shown before the error\n"],
      [undefined, "broken"],
    ]);
  });
});
