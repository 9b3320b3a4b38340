import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import koffi from "koffi";
import { KitError } from "../../error.ts";
import { type Argument, type CFunction, withChecks } from "./arguments.ts";

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

interface Library {
  readonly level: Level;
  readonly functions: Map<string, CFunction>;
  /** Kept: a library that JavaScript forgets is unloaded. */
  readonly file: ReturnType<typeof koffi.load>;
}

const PATH = join(import.meta.dirname, "linux-x64.so");

let known: Library | undefined;
let isLoaded = false;

/**
 * The level that the kit's own kernels run at here. The environment variable MEZO_CPU names a lower one, or "none". It is "none" on other
 * systems than Linux on x86-64, and on processors without AVX2. Throws a KitError where MEZO_CPU names no level or one that cannot be had
 * here, and where the library's file is damaged.
 */
export function processorLevel(): Level {
  return (isAside ? undefined : library()?.level) ?? "none";
}

let isAside = false;

/** Runs `work` as on a machine that the library is not for, so that what was computed on one has the same bits again. */
export function withoutLibrary<T>(work: () => T): T {
  isAside = true;
  try {
    return work();
  } finally {
    isAside = false;
  }
}

function library(): Library | undefined {
  if (!isLoaded) known = load();
  isLoaded = true;
  return known;
}

function load(): Library | undefined {
  const wanted = wantedLevel();
  if (wanted === "none") return undefined;
  const isHere = process.platform === "linux" && process.arch === "x64" && existsSync(PATH);
  if (wanted && !isHere)
    throw new KitError(
      `MEZO_CPU asks for ${wanted}, but the kit has no kernels of its own for this machine: unset it.`,
    );
  return isHere ? loadAt(wanted) : undefined;
}

function wantedLevel(): Level | undefined {
  const wanted = process.env.MEZO_CPU as Level | undefined;
  if (!wanted) return undefined;
  if (!LEVELS.includes(wanted))
    throw new KitError(`MEZO_CPU is "${wanted}", but no level has that name: choose one of ${LEVELS.join(", ")}.`);
  return wanted;
}

function loadAt(wanted: Level | undefined): Library | undefined {
  const file = openLibrary(PATH);
  const best = file.func("int mezo_best_level()")() as number;
  const level = LEVELS[file.func("int mezo_use_level(int)")(wanted ? LEVELS.indexOf(wanted) : best) as number]!;
  if (wanted && level !== wanted)
    throw new KitError(
      `MEZO_CPU asks for ${wanted}, but this processor, or this process already, has ${level}: unset it.`,
    );
  return level === "none" ? undefined : { level, functions: new Map(), file };
}

/** Loads a library. Throws a KitError where its file is damaged: running on without it would be slow, and nobody would know why. */
export function openLibrary(path: string): Library["file"] {
  try {
    if (!isWhole(readFileSync(path))) throw new Error("it is cut short");
    return koffi.load(path);
  } catch (error) {
    throw new KitError(
      `The kit's kernels were to be loaded from ${path}, but that failed (${(error as Error).message}): install mezo-kit again, or set MEZO_CPU=none to compute without them.`,
    );
  }
}

/** Whether a file has its last part, the table of an ELF file's sections: the system would end a process that loads one cut short. */
function isWhole(file: Buffer): boolean {
  if (file.length < 64) return false;
  const [at, each, count] = [file.readBigUInt64LE(0x28), file.readUInt16LE(0x3a), file.readUInt16LE(0x3c)];
  return file.length >= Number(at) + each * count;
}

/**
 * Calls a function of the library by its C signature, `int mezo_<name>(...)`. Throws where there is no library, which `processorLevel` says,
 * where an argument is not what the signature has, and where the function refuses its arguments: those are mistakes of the caller, who checks
 * the lengths of what the pointers point to.
 */
export function callLibrary(signature: string, ...args: readonly Argument[]): void {
  const { functions, file } = library()!;
  const run = functions.get(signature) ?? withChecks(signature, file.func(signature));
  functions.set(signature, run);
  const before = performance.now();
  const outcome = run(...args);
  callListener?.({ name: FUNCTION_NAME.exec(signature)![1]!, args, seconds: (performance.now() - before) / 1e3 });
  if (outcome !== 0) throw new Error(`${signature}: refused with ${outcome}`);
}

const FUNCTION_NAME = /mezo_(\w+)\(/;

/** One call of a function of the library, its name being that without "mezo_". */
export interface LibraryCall {
  readonly name: string;
  readonly args: readonly Argument[];
  readonly seconds: number;
}

let callListener: ((call: LibraryCall) => void) | undefined;

/** Calls `listener` for every call of the library during `work`. */
export async function profileCalls<T>(listener: (call: LibraryCall) => void, work: () => Promise<T>): Promise<T> {
  const outer = callListener;
  callListener = listener;
  try {
    return await work();
  } finally {
    callListener = outer;
  }
}

/** As many threads as the library has at most (api.h). */
const MOST_THREADS = 64;

const atMost = (count: number): number => Math.min(count, MOST_THREADS);

let threads = atMost(availableParallelism());

/** Sets how many threads the library's functions may use, the calling one included; it has 64. The results never depend on it. */
export function setLibraryThreads(count: number): void {
  threads = atMost(count);
}

/** How many threads the library's functions may use. */
export function libraryThreads(): number {
  return threads;
}
