import { copyFileSync, existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import koffi from "koffi";
import { vi } from "vitest";
import { LEVELS, type Level } from "../../../src/tensor/x86/library.ts";

/** Where the library lies. */
const LIBRARY = join(resolve(import.meta.dirname, "../../../src/tensor/x86"), "linux-x64.so");

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

const copies = new Map<Level, string>();

/** A copy of the library's file for a level: what is loaded from one file has one level in a process. */
export function libraryAt(level: Level): string {
  const copy = copies.get(level) ?? join(mkdtempSync(join(tmpdir(), `mezo-${level}-`)), "linux-x64.so");
  if (!copies.has(level)) copyFileSync(LIBRARY, copy);
  copies.set(level, copy);
  return copy;
}

/** Imports modules anew, with a library of their own that runs at a level. */
export async function atLevel<T>(level: Level, load: () => Promise<T>): Promise<T> {
  vi.resetModules();
  vi.stubEnv("MEZO_CPU", level);
  const atCopy = { load: (path: string) => koffi.load(path === LIBRARY ? libraryAt(level) : path) };
  vi.doMock("koffi", () => ({ default: Object.setPrototypeOf(atCopy, koffi) }));
  const { processorLevel } = await import("../../../src/tensor/x86/library.ts");
  vi.doUnmock("koffi");
  if (processorLevel() !== level) throw new Error(`The library runs at ${processorLevel()}, not at ${level}.`);
  return load();
}
