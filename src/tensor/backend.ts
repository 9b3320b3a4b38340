import * as tf from "@tensorflow/tfjs-core";
import { KitError } from "../error.ts";
import "./gradients.ts";
import { silence } from "./native/backend.ts";
import { native } from "./native/native.ts";
import { setThreads, threadCount } from "./native/session.ts";
import { setNoiseThreads } from "./noise/pieces.ts";
import { cpu, wasm } from "./plain.ts";
import { type FormedProducts, type Products, setProducts, twoSidedProducts } from "./products.ts";
import type { HalfKind } from "./source.ts";
import type { Backend, DeviceMemory, Storage } from "./storage.ts";
import { tensorflow } from "./tensorflow/backend.ts";
import { tensorflowThreads } from "./tensorflow/load.ts";
import { formedProducts } from "./tensorflow/products.ts";
import { webgpu } from "./webgpu/backend.ts";
import { type Level, processorLevel, setLibraryThreads } from "./x86/library.ts";

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

/** How a backend computes; what is left out stays as it was. */
export interface BackendOptions {
  /** One a core at first. TensorFlow keeps as many as were chosen when it was first used. */
  readonly threads?: number | undefined;
  /** How matrix products are formed, on `native`; at first the processor's default, which `mezo backends` tells. */
  readonly products?: Products | undefined;
}

/**
 * Chooses the backend that every tensor from here on is computed on, on how many threads, and how it forms products. "auto" is `native`.
 * Throws a KitError for a name that is not in `backendNames`, for a backend that is unavailable here, for a number of threads below 1, and
 * for products that the backend or this processor does not form.
 */
export async function useBackend(
  name: BackendName | "auto" = "auto",
  { threads, products }: BackendOptions = {},
): Promise<BackendName> {
  const wanted = name === "auto" ? "native" : name;
  if (!backendNames.includes(wanted))
    throw new KitError(
      `Backend "${name}" was asked for, but no backend has that name; choose one of ${backendNames.join(", ")}.`,
    );
  if (threads !== undefined) setAllThreads(threads);
  if (products !== undefined) chooseProducts(products, wanted);
  await start(wanted);
  chosen = wanted;
  return wanted;
}

/** Makes sure that a backend was chosen: the default one, unless `useBackend` chose before. */
export async function ensureBackend(): Promise<BackendName> {
  return useBackend(chosen ?? "auto");
}

/** How the backend in use forms a product at both sides of theta with a model's matrices, which may be kept in 16 bits. */
export function productsInUse(kept?: HalfKind): FormedProducts {
  const { backendName } = tf.engine();
  if (backendName === "native") return twoSidedProducts();
  return backendName === "tensorflow" ? formedProducts(kept?.format) : "float32";
}

/** How many threads the backend in use computes with: TensorFlow keeps as many as were chosen when it was loaded. */
export function threadsInUse(): number {
  return (tf.engine().backendName === "tensorflow" && tensorflowThreads()) || threadCount();
}

/** The level of the kit's own kernels that compute here; backends other than native use none. */
export function levelInUse(): Level {
  return tf.engine().backendName === "native" ? processorLevel() : "none";
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

/** The memory of the device that tensors lie on; undefined where that is this process's own. */
export function deviceMemory(): DeviceMemory | undefined {
  const name = tf.engine().backendName as BackendName;
  return Object.hasOwn(BACKENDS, name) ? BACKENDS[name].memory?.() : undefined;
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

function chooseProducts(products: Products, backend: BackendName): void {
  if (products !== "float32" && backend !== "native")
    throw new KitError(
      `${products} products were asked for on the ${backend} backend, which forms float32 ones alone: choose native, or float32.`,
    );
  setProducts(products);
}

function setAllThreads(threads: number): void {
  if (!(Number.isInteger(threads) && threads >= 1))
    throw new KitError(`${threads} threads were asked for; ask for a whole number from 1 on.`);
  setThreads(threads);
  setNoiseThreads(threads);
  setLibraryThreads(threads);
}
