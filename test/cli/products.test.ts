import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { processorLevel } from "../../src/tensor/x86/library.ts";
import { command, folder } from "./mezo.ts";
import { lastLine, runIn, small } from "./runs.ts";

const level = processorLevel();
const isHere = level !== "none";
const run = [...small, "--method", "mezo", "--steps", "5", "--threads", "1"];

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Runs the command line as it is typed, on a processor of that level. */
function typed(on: string, args: readonly string[], cwd?: string): ReturnType<typeof command> {
  vi.stubEnv("MEZO_CPU", on);
  return command("main", args, cwd);
}

describe.skipIf(!isHere)("--products", () => {
  test("stand in the run's header, which a resumed run must have, on whatever processor it goes on", () => {
    const cwd = folder();
    expect(typed(level, [...run, "--products", "bf16x3"], cwd).status).toBe(0);
    const text = readFileSync(runIn(cwd), "utf8");
    expect(JSON.parse(text.split("\n")[0]!).header).toMatchObject({ products: "bf16x3", processor: level });
    const other = typed(level, [...run, "--products", "float32", "--resume"], cwd);
    expect(other.status).toBe(1);
    expect(lastLine(other.stderr)).toMatch(/resumed, but products is "bf16x3" in one and "float32" in the other/);
    const elsewhere = typed("avx2", [...run, "--products", "bf16x3", "--resume"], cwd);
    expect(elsewhere.status).toBe(0);
    expect(elsewhere.stdout).toContain("(products bf16x3)");
    expect(readFileSync(runIn(cwd), "utf8")).toBe(text);
    const replayed = typed("none", ["replay", runIn(cwd), "--model", small[1]!]);
    expect(replayed.stdout).toMatch(/to the bit/);
  });

  test("and kernels of its own change nothing of a run that was made without: its prefix begins as it did, to the bit", () => {
    const { cwd } = typed("none", [...small, "--method", "mezo-prefix", "--steps", "5", "--threads", "1"]);
    const { stdout } = typed(level, ["replay", runIn(cwd), "--model", small[1]!]);
    expect(stdout).toMatch(/to the bit/);
  });

  test("of two runs are where they part", () => {
    const [one, two] = ["bf16x3", "float32"].map((products) => {
      const { cwd } = typed(level, [...run, "--products", products]);
      return runIn(cwd);
    });
    expect(typed(level, ["diff", one!, two!]).stdout).toBe(
      'They part after 0 steps: products is "bf16x3" in one and "float32" in the other.\n',
    );
  });
});

describe("products that are not formed here", () => {
  test.each([
    ["on another backend", level, ["--backend", "cpu", "--products", "bf16"], /bf16 products.*the cpu backend/],
    ["without the kit's kernels", "none", ["--products", "difference"], /difference products.*own kernels/],
    ["of no known name", level, ["--products", "int8"], /--products.*float32, bf16x3, bf16, difference/],
  ])("%s are refused in one sentence", (_what, on, args, sentence) => {
    const { status, stdout, stderr } = typed(on, [...run, ...args]);
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(lastLine(stderr)).toMatch(sentence);
  });

  test("are none where none were asked for: the run is in float32, and says so", () => {
    const { cwd, status } = typed("none", run);
    expect(status).toBe(0);
    const [line] = readFileSync(join(runIn(cwd)), "utf8").split("\n");
    expect(JSON.parse(line!).header).toMatchObject({ products: "float32", processor: "none" });
  });
});

/** What `mezo backends` says of native on a processor of that level: the lines of its cell, wherever they break. */
function nativeCell(on: string): string {
  const lines = typed(on, ["backends"]).stdout.split("\n");
  const first = lines.findIndex((line) => line.startsWith("│ native"));
  const after = lines.findIndex((line, i) => i > first && line.startsWith("├"));
  const parts = lines.slice(first, after).map((line) => line.split("│")[3]!.trim());
  return parts.join(" ");
}

test("mezo backends names the processor's level and its products", () => {
  if (isHere) expect(nativeCell("avx2")).toMatch(/AVX2, \d+ threads?, products float32/);
  if (isHere) expect(nativeCell("amx-emulated")).toMatch(/AMX, emulated, \d+ threads?, products bf16x3/);
  expect(nativeCell("none")).toMatch(/products float32 alone: .*the kit's own kernels/);
});
