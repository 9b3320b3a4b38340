import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { npmRunNotebooks, root } from "./runNotebooks.ts";

const folder = join(root, "notebooks");
const notebooks = readdirSync(folder).filter((name) => name.endsWith(".ipynb"));
/** Inside the project, since cells find the kit in a node_modules above them; git ignores it. */
const scratch = join(root, "data/runs/smoke/test-notebooks");

function write(name: string, ...cells: string[]): string {
  const path = join(scratch, name);
  const code = (source: string): object => ({
    cell_type: "code",
    metadata: {},
    execution_count: null,
    outputs: [],
    source,
  });
  writeFileSync(path, JSON.stringify({ cells: cells.map(code), metadata: {}, nbformat: 4, nbformat_minor: 5 }));
  return path;
}

beforeAll(() => void mkdirSync(scratch, { recursive: true }));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe("each notebook", () => {
  test.each(notebooks)("%s is stored with clean outputs: counts from 1, no error, no path, at most 300 KB", (name) => {
    const text = readFileSync(join(folder, name), "utf8");
    const code = cellsOf(text).filter(({ cell_type }) => cell_type === "code");
    expect(code.map(({ execution_count }) => execution_count)).toEqual(code.map((_, i) => i + 1));
    expect(code.flatMap(({ outputs }) => outputs).filter(({ output_type }) => output_type === "error")).toEqual([]);
    expect(statSync(join(folder, name)).size).toBeLessThan(300 * 1024);
    expect(text).not.toMatch(/\/(home|root|work|tmp|Users)\//);
  });

  test.each(notebooks)("%s shows a table as HTML and a figure as PNG beside plotly's own form", (name) => {
    const shown = cellsOf(readFileSync(join(folder, name), "utf8")).flatMap(({ outputs = [] }) => outputs);
    const types = shown.map(({ data = {} }) => Object.keys(data));
    expect(types.some((keys) => keys.includes("text/html"))).toBe(true);
    expect(types.some((keys) => keys.includes("image/png") && keys.includes("application/vnd.plotly.v1+json"))).toBe(
      true,
    );
  });
});

interface StoredCell {
  readonly cell_type: string;
  readonly execution_count: number | null;
  readonly outputs: {
    readonly output_type: string;
    readonly text?: readonly string[];
    readonly data?: Readonly<Record<string, readonly string[]>>;
  }[];
}

const cellsOf = (text: string): StoredCell[] => (JSON.parse(text) as { cells: StoredCell[] }).cells;

describe("npm run notebooks", () => {
  test("names notebook, cell and line of a type error, and exits with 1", async () => {
    const path = write("typed.ipynb", "const a = 1;", "const b = a + 1;\nconst c: string = b;");
    const { code, err } = await npmRunNotebooks(path);
    expect(code).toBe(1);
    expect(err).toMatch(/^typed\.ipynb, cell 2, line 2 \(const c: string = b;\): TypeScriptError: .*not assignable/);
  });

  test("names notebook, cell and line of what a cell throws", async () => {
    const path = write(
      "thrown.ipynb",
      'const name: string = "x";\n\nif (name === "x") throw new Error("broken");\nconst after = 2;',
    );
    const { code, err } = await npmRunNotebooks(path);
    expect(code).toBe(1);
    expect(err).toMatch(/^thrown\.ipynb, cell 1, line 3 .*: Error: broken/);
  });

  test("fails a cell whose promise was rejected and that nobody awaited", async () => {
    const path = write("rejected.ipynb", 'void Promise.reject(new Error("unheard"));');
    expect(await npmRunNotebooks(path)).toMatchObject({ code: 1, err: expect.stringContaining("Error: unheard") });
  });

  test("runs cells with every form of a top-level await, and stores what they show", async () => {
    const path = write(
      "await.ipynb",
      "async function* numbers() { yield 1; yield 2; }\nfor await (const n of numbers()) console.log(n);",
      "const three = await (async () => 3)();\nthree",
      "if (three > 2) for await (const n of [4, 5]) console.log(n satisfies number);",
      'process.stdout.write("10 %\\r20 %\\r");\nconsole.log("done");\nconsole.error("y".repeat(3e6).length);',
      'import { frame, show } from "mezo-kit/notebook";\nshow(frame([{ method: "MeZO", accuracy: 75.1 }, { accuracy: null, method: "FT" }]));',
    );
    const { code, err } = await npmRunNotebooks("--store", path);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const shown = cellsOf(readFileSync(path, "utf8")).map(({ outputs }) =>
      outputs.map(({ text, data }) => (text ?? data!["text/plain"]!).join("")),
    );
    expect(shown).toEqual([
      ["1\n2\n"],
      ["3\n"],
      ["4\n5\n"],
      ["done\n", "3000000\n"],
      ["method  accuracy\n------  --------\nMeZO        75.1\nFT             –"],
    ]);
  });

  test("stores with the outputs which files of data/ the cells read, and those of a folder of runs", async () => {
    const data = join(scratch, "../data");
    mkdirSync(join(data, "runs/table1"), { recursive: true });
    for (const name of ["bench.json", "unread.json", "table1/a.jsonl"]) writeFileSync(join(data, "runs", name), "{}");
    const path = write(
      "sources.ipynb",
      'import { readdirSync, readFileSync } from "node:fs";\nreadFileSync("../data/runs/bench.json", "utf8");',
      'for (const name of readdirSync("../data/runs/table1")) readFileSync("../data/runs/table1/" + name);',
    );
    const { code, err } = await npmRunNotebooks("--store", path);
    rmSync(data, { recursive: true });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const { metadata } = JSON.parse(readFileSync(path, "utf8")) as { metadata: { stored: { files: object } } };
    expect(Object.keys(metadata.stored.files)).toEqual(["runs/bench.json", "runs/table1/*.jsonl"]);
  });

  test("knows the types of the kit: none has become any", async () => {
    const names = ["loadModel", "loadTask", "evaluate", "tune", "mezo", "adam", "lora", "replay", "readRun"];
    const cells = [
      `import { ${names.join(", ")} } from "mezo-kit";\ntype IsAny<T> = 0 extends 1 & T ? true : false;`,
      `const kit: { ${names.map((name) => `${name}: IsAny<typeof ${name}>`).join("; ")} } =\n  { ${names.map((name) => `${name}: false`).join(", ")} };`,
      "const any: IsAny<any> = false;",
    ];
    const { err } = await npmRunNotebooks(write("types.ipynb", ...cells));
    expect(err).toMatch(/cell 3, .*TypeScriptError: .*'false' is not assignable to type 'true'/);
  });

  test.each([
    [["99"], /There is no notebook 99 in notebooks\/: choose 00-quickstart/],
    [["--smoke", "--store"], /--smoke and --store were asked for together/],
    [["missing.ipynb"], /missing\.ipynb was to be run, but it is no notebook that can be read/],
  ])("refuses %j in one sentence", async (args, sentence) => {
    const { code, err } = await npmRunNotebooks(...args);
    expect(code).toBe(1);
    expect(err).toMatch(sentence);
    expect(err.trim().split("\n")).toHaveLength(1);
  });
});
