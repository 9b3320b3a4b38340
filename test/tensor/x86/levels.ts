import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import koffi from "koffi";
import { vi } from "vitest";
import { LEVELS, type Level } from "../../../src/tensor/x86/library.ts";

/** Where the library lies. */
export const LIBRARY: string = join(resolve(import.meta.dirname, "../../../src/tensor/x86"), "linux-x64.so");

const best =
  process.platform === "linux" && process.arch === "x64" && existsSync(LIBRARY)
    ? (koffi.load(LIBRARY).func("int mezo_best_level()")() as number)
    : 0;

/** Levels that the library was compiled for. */
export const COMPILED: readonly Level[] = LEVELS.filter((level) => level !== "none");

/** Whether this processor can run a level; it can be asked for emulated AMX where it has AVX2. */
export function isHere(level: Level): boolean {
  return level === "amx-emulated" ? best > 0 : LEVELS.indexOf(level) <= best;
}

/** What the tests of a level that is not here say. */
export const needsLevel = (level: Level): string => `at ${level}; needs x86-64 Linux and a processor that has it`;

/** Imports modules anew and has them run at a level. A process has one level, so that each has a copy of the library. */
export async function atLevel<T>(level: Level, load: () => Promise<T>): Promise<T> {
  vi.resetModules();
  vi.stubEnv("MEZO_CPU", level);
  vi.doMock("koffi", () => ({ default: { ...koffi, load: () => copyOf(level) } }));
  const { processorLevel } = await import("../../../src/tensor/x86/library.ts");
  if (processorLevel() !== level) throw new Error(`The library runs at ${processorLevel()}, not at ${level}.`);
  return load();
}

const copies = new Map<Level, ReturnType<typeof koffi.load>>();

function copyOf(level: Level): ReturnType<typeof koffi.load> {
  const folder = mkdtempSync(join(tmpdir(), "mezo-level-"));
  const path = join(folder, `${level}.so`);
  copyFileSync(LIBRARY, path);
  const library = copies.get(level) ?? koffi.load(path);
  copies.set(level, library);
  rmSync(folder, { recursive: true });
  return library;
}
