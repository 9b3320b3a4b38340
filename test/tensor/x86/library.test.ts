import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import { KitError } from "../../../src/error.ts";
import {
  LEVELS,
  libraryThreads,
  openLibrary,
  processorLevel,
  setLibraryThreads,
} from "../../../src/tensor/x86/library.ts";
import { isBuilt, path } from "./file.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

/** The level that a module loaded afresh finds in this process. */
async function freshLevel(): Promise<string> {
  vi.resetModules();
  return (await import("../../../src/tensor/x86/library.ts")).processorLevel();
}

const built = pathToFileURL(resolve(import.meta.dirname, "../../../dist/tensor/x86/library.js"));

/** What a program prints that has the built kit's library as `library`, in a process with MEZO_CPU set. */
function inProcess(cpu: string, program: string): string {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", `const library = await import("${built}");\n${program}`],
    { encoding: "utf8", env: { ...process.env, MEZO_CPU: cpu } },
  );
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  return stdout.trim();
}

const LEVEL = "try { console.log(library.processorLevel()) } catch (error) { console.log(error.name, error.message) }";
const best = isBuilt ? inProcess("", LEVEL) : "none";
const below = LEVELS.slice(0, LEVELS.indexOf(best as "none") + 1);

describe("MEZO_CPU", () => {
  test.each([...below, ...(best === "none" ? [] : ["amx-emulated"])])("has a process compute at %s", (level) => {
    expect(inProcess(level, LEVEL)).toBe(level);
  });

  test("names the levels where it names none of them", async () => {
    vi.stubEnv("MEZO_CPU", "sse9");
    await expect(freshLevel()).rejects.toThrow(
      'MEZO_CPU is "sse9", but no level has that name: choose one of none, avx2, avx512, avx512bf16, amx, amx-emulated.',
    );
  });

  test.skipIf(best === "amx" || best === "none")("says what a processor has that lacks what it asks for", () => {
    expect(inProcess("amx", LEVEL)).toBe(
      `KitError MEZO_CPU asks for amx, but this processor, or this process already, has ${best}: unset it.`,
    );
  });

  test.skipIf(best === "none")("is told to a Worker that comes with another, since all threads compute alike", () => {
    const worker = `
      import { Worker } from "node:worker_threads";
      ${LEVEL}
      new Worker(\`import("${built}").then((library) => { ${LEVEL} })\`,
        { eval: true, env: { ...process.env, MEZO_CPU: "amx-emulated" } });`;
    expect(inProcess("avx2", worker).split("\n")).toEqual([
      "avx2",
      "KitError MEZO_CPU asks for amx-emulated, but this processor, or this process already, has avx2: unset it.",
    ]);
  });
});

describe("on a machine that the library is not for", () => {
  test.each([
    ["darwin", "arm64"],
    ["win32", "x64"],
    ["linux", "arm64"],
  ])("%s %s, the level is none without a word", async (platform, arch) => {
    vi.stubGlobal("process", { ...process, env: process.env, platform, arch });
    await expect(freshLevel()).resolves.toBe("none");
    vi.stubEnv("MEZO_CPU", "none");
    await expect(freshLevel()).resolves.toBe("none");
    vi.stubEnv("MEZO_CPU", "avx2");
    await expect(freshLevel()).rejects.toThrow(
      "MEZO_CPU asks for avx2, but the kit has no kernels of its own for this machine: unset it.",
    );
    vi.unstubAllGlobals();
  });
});

describe.skipIf(!isBuilt)("the library's file", () => {
  const folder = mkdtempSync(join(tmpdir(), "library-"));

  test("is loaded from where nothing may be written", () => {
    const copy = join(folder, "read-only.so");
    copyFileSync(path, copy);
    chmodSync(copy, 0o444);
    chmodSync(folder, 0o555);
    expect(openLibrary(copy).func("int mezo_best_level()")()).toBe(LEVELS.indexOf(best as "none"));
    chmodSync(folder, 0o755);
  });

  const bytes = isBuilt ? readFileSync(path) : Buffer.alloc(0);
  test.each([0, 10, 100, 5000, Math.floor(bytes.length / 2), bytes.length - 1])(
    "is refused where %d bytes of it are left, in a sentence that says what helps",
    (length) => {
      const damaged = join(folder, `${length}.so`);
      writeFileSync(damaged, bytes.subarray(0, length));
      expect(() => openLibrary(damaged)).toThrow(KitError);
      expect(() => openLibrary(damaged)).toThrow(
        `The kit's kernels were to be loaded from ${damaged}, but that failed (it is cut short): install mezo-kit again, or set MEZO_CPU=none to compute without them.`,
      );
    },
  );

  test("is refused where it is another's", () => {
    const other = join(folder, "other.so");
    writeFileSync(other, Buffer.alloc(5000));
    expect(() => openLibrary(other)).toThrow(/^The kit's kernels were .* failed \(.*invalid ELF header\): install/);
  });
});

test("the library's threads are as many as asked for, and 64 at most", () => {
  const before = libraryThreads();
  setLibraryThreads(3);
  expect(libraryThreads()).toBe(3);
  setLibraryThreads(500);
  expect(libraryThreads()).toBe(64);
  setLibraryThreads(before);
});

test("the level is found once", () => {
  const level = processorLevel();
  vi.stubEnv("MEZO_CPU", level === "avx2" ? "none" : "avx2");
  expect(processorLevel()).toBe(level);
});
