import * as tf from "@tensorflow/tfjs";
import { KitError } from "../error.ts";
import { NATIVE, registerNativeBackend, silence } from "./native/backend.ts";
import { setThreads } from "./native/session.ts";
import { registerStandardKernels } from "./native/standard.ts";
import { setNoiseThreads } from "./noise/sweep.ts";

/** Where tensors are computed: `native` (ONNX Runtime and WASM SIMD under TensorFlow.js; the default) or `cpu` (plain TensorFlow.js, for checks). */
export type BackendName = "native" | "cpu";

/** A line for each backend; adding one adds a line. */
const BACKENDS: Readonly<Record<BackendName, () => void>> = {
  native: () => {
    registerNativeBackend();
    registerStandardKernels();
  },
  cpu: () => {},
};

/** The names that `useBackend` takes besides "auto". */
export const backendNames: readonly BackendName[] = Object.keys(BACKENDS) as BackendName[];

let chosen: BackendName | undefined;

/**
 * Chooses the backend that every tensor from here on is computed on, and on how many threads. "auto" is `native`.
 * Throws a KitError for a name that is none of `backendNames`, and for a number of threads that is none.
 */
export async function useBackend(name: BackendName | "auto" = "auto", threads?: number): Promise<BackendName> {
  const wanted = name === "auto" ? NATIVE : name;
  if (!backendNames.includes(wanted))
    throw new KitError(
      `Backend "${name}" was asked for, but there is none of that name; choose one of ${backendNames.join(", ")}.`,
    );
  if (threads !== undefined) setAllThreads(threads);
  BACKENDS[wanted]();
  await tf.setBackend(wanted);
  silence(tf.backend());
  chosen = wanted;
  return wanted;
}

/** Makes sure that a backend was chosen: the default one, unless `useBackend` chose before. */
export async function ensureBackend(): Promise<BackendName> {
  return useBackend(chosen ?? "auto");
}

function setAllThreads(threads: number): void {
  if (!(Number.isInteger(threads) && threads >= 1))
    throw new KitError(`${threads} threads were asked for; ask for a whole number from 1 on.`);
  setThreads(threads);
  setNoiseThreads(threads);
}
