import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import seedrandom from "seedrandom";
import { KitError } from "../../src/error.ts";
import { damaged } from "./damage.ts";
import { watch } from "./watchdog.ts";

/** A file that a reader takes: its whole bytes, and what makes a hash or length right again that every damage would break. */
export interface Sample {
  readonly name: string;
  readonly bytes: Buffer | string;
  readonly seal?: (bytes: Buffer) => Buffer;
}

/** Something of the kit that reads what others wrote. */
export interface Reader {
  readonly name: string;
  /** Files that lie in one folder and are read without an error; a case damages one of them. */
  readonly samples: readonly Sample[];
  /** Files that lie with them, and stay whole. */
  readonly beside?: readonly Sample[];
  /** Reads the damaged file, or the folder that it lies in. */
  readonly read: (path: string) => unknown;
}

/** Whole numbers from `from` on, before `to`: each is the seed of a case. */
export interface Seeds {
  readonly from: number;
  readonly to: number;
}

/** A case that broke the law, and how. */
export interface Fault {
  readonly reader: string;
  readonly seed: number;
  readonly what: string;
}

/** How cases ended. */
export interface Totals {
  readonly read: number;
  readonly refused: number;
  readonly faults: readonly Fault[];
}

/** The damaged file of a seed, by its name in the reader's folder. */
export function caseOf({ name, samples }: Reader, seed: number): { readonly name: string; readonly bytes: Buffer } {
  const random = seedrandom.alea(`${name} ${seed}`);
  const sample = samples[Math.floor(random() * samples.length)]!;
  const bytes = damaged(Buffer.from(sample.bytes), random);
  return { name: sample.name, bytes: sample.seal ? sample.seal(bytes) : bytes };
}

/** A folder with a reader's samples, whole. */
export function sampleFolder({ name, samples, beside = [] }: Reader): string {
  const folder = mkdtempSync(join(tmpdir(), `fuzz-${name}-`));
  for (const sample of [...samples, ...beside]) restore(folder, sample);
  return folder;
}

/** Writes a reader's folder with the damaged file of a seed in it; gives that file. */
export function caseFile(reader: Reader, seed: number): string {
  const { name, bytes } = caseOf(reader, seed);
  const path = join(sampleFolder(reader), name);
  writeFileSync(path, bytes);
  return path;
}

/** Runs the cases of the seeds, each of which must end as a value or one sentence (see `broken`), or the process ends (see `watch`). */
export async function runCases(
  reader: Reader,
  { from, to }: Seeds,
  onProgress: (soFar: Totals) => void = () => {},
): Promise<Totals> {
  const folder = sampleFolder(reader);
  const unheard: string[] = [];
  const hear = (reason: unknown): number => unheard.push(`a rejection that nobody awaited: ${reason}`);
  process.prependListener("unhandledRejection", hear);
  const watchdog = watch(reader.name);
  let [read, refused] = [0, 0];
  const faults: Fault[] = [];
  try {
    for (let seed = from; seed < to; seed++) {
      watchdog.begin(seed);
      const outcome = await runCase(reader, folder, seed);
      const what = outcome.fault ?? unheard.pop();
      if (what !== undefined) faults.push({ reader: reader.name, seed, what });
      else if (outcome.error) refused++;
      else read++;
      onProgress({ read, refused, faults });
    }
  } finally {
    await watchdog.end();
    process.removeListener("unhandledRejection", hear);
    rmSync(folder, { recursive: true, force: true });
  }
  return { read, refused, faults };
}

interface Outcome {
  readonly error?: unknown;
  readonly fault?: string | undefined;
}

async function runCase(reader: Reader, folder: string, seed: number): Promise<Outcome> {
  const { name, bytes } = caseOf(reader, seed);
  const path = join(folder, name);
  writeFileSync(path, bytes);
  try {
    await reader.read(path);
    return {};
  } catch (error) {
    return { error, fault: broken(error, folder) };
  } finally {
    await setImmediate(); // rejections of this case are heard before the next
    if (reader.samples.length > 1)
      for (const sample of reader.samples) if (sample.name === name) restore(folder, sample);
  }
}

function restore(folder: string, { name, bytes, seal = Buffer.from }: Sample): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), seal(Buffer.from(bytes)));
}

const LONGEST = 600;
const NO_SENTENCE = /\n|undefined|\[object|^\s+at /;

/** How an error breaks the law that what is refused is refused by a KitError of one short line, made for its reader. */
export function broken(error: unknown, folder: string): string | undefined {
  if (!(error instanceof KitError))
    return `no KitError, but ${error instanceof Error ? error.stack?.split("\n", 3).join("") : String(error)}`;
  const message = error.message.replaceAll(folder, "folder");
  if (message.length > LONGEST) return `a message of ${message.length} characters: ${message.slice(0, 200)}…`;
  const found = NO_SENTENCE.exec(message)?.[0];
  return found === undefined ? undefined : `${JSON.stringify(found)} in the message: ${message}`;
}
