import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import koffi from "koffi";
import { KitError } from "../../error.ts";

/** What a processor's instructions allow, each with all that the ones before it have: the level of the library's kernels. */
export const LEVELS = ["none", "avx2", "avx512", "avx512bf16", "amx", "amx-emulated"] as const;

/** A level by its name; "none" where the library is not for this machine. */
export type Level = (typeof LEVELS)[number];

/** What a level is called for people. */
export const levelNames: Readonly<Record<Level, string>> = {
  none: "no kernels of the kit's own",
  avx2: "AVX2",
  avx512: "AVX-512",
  avx512bf16: "AVX-512 with BF16",
  amx: "AMX",
  "amx-emulated": "AMX, emulated",
};

/** An argument of the library's functions: numbers, and memory of this process, which they see where it is. */
type Argument = number | bigint | null | ArrayBufferView;

interface Library {
  readonly level: Level;
  readonly functions: Map<string, (...args: readonly Argument[]) => number>;
  /** Kept: a library that JavaScript forgets is unloaded. */
  readonly file: ReturnType<typeof koffi.load>;
}

let known: Library | undefined;
let isLoaded = false;

/**
 * The level that the kit's own kernels run at here. The environment variable MEZO_CPU names a lower one, or "none". It is "none" on other
 * systems than Linux on x86-64, and on processors without AVX2. Throws a KitError where MEZO_CPU names no level or one that this processor lacks.
 */
export function processorLevel(): Level {
  return library()?.level ?? "none";
}

function library(): Library | undefined {
  if (!isLoaded) known = load();
  isLoaded = true;
  return known;
}

function load(): Library | undefined {
  const wanted = wantedLevel();
  const path = join(import.meta.dirname, "linux-x64.so");
  if (wanted === "none" || process.platform !== "linux" || process.arch !== "x64" || !existsSync(path))
    return undefined;
  const file = koffi.load(path);
  const best = file.func("int mezo_best_level()")() as number;
  const level = LEVELS[file.func("int mezo_use_level(int)")(wanted ? LEVELS.indexOf(wanted) : best) as number]!;
  if (wanted && level !== wanted)
    throw new KitError(`MEZO_CPU asks for ${wanted}, but this processor has ${LEVELS[best]!} at most: unset it.`);
  return level === "none" ? undefined : { level, functions: new Map(), file };
}

function wantedLevel(): Level | undefined {
  const wanted = process.env.MEZO_CPU as Level | undefined;
  if (!wanted) return undefined;
  if (!LEVELS.includes(wanted))
    throw new KitError(`MEZO_CPU is "${wanted}", but no level has that name: choose one of ${LEVELS.join(", ")}.`);
  return wanted;
}

/**
 * Calls a function of the library by its C signature, `int mezo_<name>(...)`. Throws where there is no library, which `processorLevel` says,
 * and where the function refuses its arguments: that is a mistake of the caller, who checks sizes first.
 */
export function callLibrary(signature: string, ...args: readonly Argument[]): void {
  const { functions, file } = library()!;
  const run = functions.get(signature) ?? (file.func(signature) as (...args: readonly Argument[]) => number);
  functions.set(signature, run);
  const outcome = run(...args);
  if (outcome !== 0) throw new Error(`${signature}: refused with ${outcome}`);
}

let threads = availableParallelism();

/** Sets how many threads the library's functions may use, the calling one included. The results never depend on it. */
export function setLibraryThreads(count: number): void {
  threads = count;
}

/** How many threads the library's functions may use. */
export function libraryThreads(): number {
  return threads;
}
