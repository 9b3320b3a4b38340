import * as tf from "@tensorflow/tfjs";
import { KitError } from "../error.ts";
import { NATIVE, registerNativeBackend } from "./native/backend.ts";
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

/**
 * Chooses the backend that every tensor from here on is computed on, and on how many threads. "auto" is `native`.
 * Throws a KitError for a name that is none of `backendNames`.
 */
export async function useBackend(name: BackendName | "auto" = "auto", threads?: number): Promise<BackendName> {
  const chosen = name === "auto" ? NATIVE : name;
  const register = BACKENDS[chosen];
  if (!register)
    throw new KitError(
      `Backend "${name}" was asked for, but there is none of that name; choose one of ${backendNames.join(", ")}.`,
    );
  if (threads !== undefined) {
    setThreads(threads);
    setNoiseThreads(threads);
  }
  register();
  await tf.setBackend(chosen);
  return chosen;
}
