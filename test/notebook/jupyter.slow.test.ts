import { execFile, execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { interruption } from "../../src/cli/notebooks/cellSignal.ts";
import { readRun } from "../../src/experiment/runFile/read.ts";

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
  /** A file, and the number of lines at which the cell is interrupted. */
  readonly interrupt?: { readonly file: string; readonly lines: number };
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

  test("ends an interrupted tune with one sentence, and goes on with it when the cell is run again", async () => {
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

  test("shows the compiler's message for a type error, loses none of 3000 lines, and shows Interrupt to any loop", async () => {
    const marker = join(scratch, "waiting");
    const path = write("cells.ipynb", [
      { source: "const text: string = 1;" },
      { source: 'for (let i = 0; i < 3000; i++) console.log("line", i);' },
      {
        source: `import { writeFileSync } from "node:fs";\nwriteFileSync("waiting", "\\n");\nfor (;;);`,
        interrupt: { file: marker, lines: 1 },
      },
      { source: 'console.log("alive");' },
    ]);
    const { cells } = await throughJupyter(path);
    expect(errorsOf(cells[0]!)).toMatchObject([
      { ename: "TypeScriptError", evalue: "1:7 - Type 'number' is not assignable to type 'string'." },
    ]);
    const text = cells[1]!.outputs.map((output) => output.text).join("");
    expect(text).toBe(Array.from({ length: 3000 }, (_, i) => `line ${i}\n`).join(""));
    expect(errorsOf(cells[2]!)).toMatchObject([{ evalue: expect.stringContaining("SIGINT") }]);
    expect(cells[3]!.outputs).toMatchObject([{ text: "alive\n" }]);
    expect(cells.map(({ count }) => count)).toEqual([1, 2, 3, 4]);
  });
});
