import * as tf from "@tensorflow/tfjs-core";
import { KitError } from "../error.ts";
import "./gradients.ts";
import { silence } from "./native/backend.ts";
import { native } from "./native/native.ts";
import { setThreads } from "./native/session.ts";
import { setNoiseThreads } from "./noise/pieces.ts";
import { cpu, wasm } from "./plain.ts";
import type { Backend, Storage } from "./storage.ts";
import { tensorflow } from "./tensorflow.ts";
import { webgpu } from "./webgpu/backend.ts";
import { setLibraryThreads } from "./x86/library.ts";

let bytes: number | undefined;

/** Notes what the process holds with the libraries of its first backend loaded. */
function noteRuntime(): void {
  bytes ??= process.memoryUsage.rss();
}

/** Resident bytes of the process when its first backend was ready, before any weight was loaded; undefined before that. */
export function runtimeBytes(): number | undefined {
  return bytes;
}

/** Where tensors are computed; `native` is the default. */
export type BackendName = "native" | "cpu" | "wasm" | "webgpu" | "tensorflow";

const BACKENDS: Readonly<Record<BackendName, Backend>> = { native, cpu, wasm, webgpu, tensorflow };

/** The names that `useBackend` takes besides "auto". */
export const backendNames: readonly BackendName[] = Object.keys(BACKENDS) as BackendName[];

let chosen: BackendName | undefined;

/**
 * Chooses the backend that every tensor from here on is computed on, and on how many threads. "auto" is `native`. Throws a KitError
 * for a name that is not in `backendNames`, for a backend that is unavailable here, and for a number of threads below 1.
 */
export async function useBackend(name: BackendName | "auto" = "auto", threads?: number): Promise<BackendName> {
  const wanted = name === "auto" ? "native" : name;
  if (!backendNames.includes(wanted))
    throw new KitError(
      `Backend "${name}" was asked for, but no backend has that name; choose one of ${backendNames.join(", ")}.`,
    );
  if (threads !== undefined) setAllThreads(threads);
  await start(wanted);
  chosen = wanted;
  return wanted;
}

/** Makes sure that a backend was chosen: the default one, unless `useBackend` chose before. */
export async function ensureBackend(): Promise<BackendName> {
  return useBackend(chosen ?? "auto");
}

/** What a backend needs, and what it runs on here or why it does not. */
export interface Availability {
  readonly name: BackendName;
  readonly about: string;
  readonly available: boolean;
  /** The device; or the reason, in a sentence. */
  readonly detail: string;
}

/** Tries every backend in turn. The one in use stays. */
export async function probeBackends(): Promise<Availability[]> {
  const found: Availability[] = [];
  for (const name of backendNames) {
    const { about } = BACKENDS[name];
    const outcome = await start(name).then(
      (detail) => ({ available: true, detail }),
      (error: unknown) => ({ available: false, detail: error instanceof Error ? error.message : String(error) }),
    );
    found.push({ name, about, ...outcome });
  }
  await start(chosen ?? "native");
  return found;
}

/** How the backend in use changes tensors in place. */
export function storage(): Storage {
  const name = tf.getBackend() as BackendName;
  if (Object.hasOwn(BACKENDS, name)) return BACKENDS[name].storage;
  throw new KitError(`The weights lie on TensorFlow.js's backend "${name}"; choose one with useBackend first.`);
}

/** Loads a backend and makes it TensorFlow.js's; gives what it runs on. */
async function start(name: BackendName): Promise<string> {
  const device = await BACKENDS[name].load();
  if (!(await tf.setBackend(name)))
    throw new KitError(`Backend "${name}" was loaded, but TensorFlow.js could not start it; choose another.`);
  silence(tf.backend());
  noteRuntime();
  return device;
}

function setAllThreads(threads: number): void {
  if (!(Number.isInteger(threads) && threads >= 1))
    throw new KitError(`${threads} threads were asked for; ask for a whole number from 1 on.`);
  setThreads(threads);
  setNoiseThreads(threads);
  setLibraryThreads(threads);
}
