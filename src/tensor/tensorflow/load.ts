import { createRequire } from "node:module";
import util from "node:util";
import * as tf from "@tensorflow/tfjs-core";
import { KitError } from "../../error.ts";
import { captureStderr, setEnvironment } from "../clib.ts";
import { findGpus } from "../gpu.ts";
import { threadCount } from "../native/session.ts";
import { readLinked } from "./link.ts";
import { explainFailure, gibibytes, readGpuReason } from "./messages.ts";
import type { Binding } from "./operations.ts";

const PACKAGES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"];

/** What TensorFlow reads once, when it is loaded; a variable that is set stays as it is. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  // It would take all of the card's memory at once, which others may use too.
  TF_FORCE_GPU_ALLOW_GROWTH: "true",
  // Errors alone: an allocation that fails would write hundreds of lines.
  TF_CPP_MIN_LOG_LEVEL: "2",
  // From Ampere on, products of float32 would be formed in TF32, whose factors have the 10 bits of float16's: a projected gradient is a small
  // difference of losses, of which that leaves little. NVIDIA_TF32_OVERRIDE=1 leaves TF32 on, which is several times as fast.
  NVIDIA_TF32_OVERRIDE: "0",
};

/** How many threads an operation may use, which TensorFlow reads once too. */
const THREADS = "TF_NUM_INTRAOP_THREADS";

let device: string | undefined;
let threads: number | undefined;

/** How many threads TensorFlow's operations may use on the processor; undefined until it is loaded. */
export const tensorflowThreads = (): number | undefined => threads;

/**
 * Loads TensorFlow's library, for as many threads as are chosen by now, and registers it with TensorFlow.js; does nothing the second time. Gives
 * what it is and runs on: "TensorFlow 2.21.0, NVIDIA H200, 139.8 GiB, 139 GiB free". Throws a KitError that says why it cannot be loaded.
 */
export function loadTensorFlow(): string {
  device ??= load();
  return device;
}

function load(): string {
  for (const [name, value] of Object.entries(ENVIRONMENT)) if (!process.env[name]) setEnvironment(name, value);
  const given = process.env[THREADS];
  threads = Number(given) || threadCount();
  setEnvironment(THREADS, String(threads));
  try {
    return loadPackage();
  } finally {
    if (given === undefined) delete process.env[THREADS]; // processes that this one starts choose for themselves
  }
}

function loadPackage(): string {
  mendUtil();
  let failure =
    "neither @tensorflow/tfjs-node-gpu nor @tensorflow/tfjs-node is installed (npm install --ignore-scripts @tensorflow/tfjs-node-gpu)";
  for (const name of PACKAGES.toReversed()) {
    const { error, written } = requirePackage(name);
    if (tf.findBackendFactory("tensorflow")) return start(written);
    if (error !== undefined && !isAbsent(error, name)) failure = explainLoad(error, name);
  }
  throw new KitError(`TensorFlow cannot be used here: ${failure}.`);
}

/** The package calls two functions of Node's that Node 23 has removed. */
function mendUtil(): void {
  const functions = util as unknown as Record<string, unknown>;
  functions.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  functions.isArray ??= Array.isArray;
}

/** Loads a package; what its libraries write, some of it before they read how much they may, is kept back. */
function requirePackage(name: string): { error: unknown; written: string } {
  let error: unknown;
  const written = captureStderr(() => {
    try {
      createRequire(import.meta.url)(name);
    } catch (thrown) {
      error = thrown;
    }
  });
  return { error, written };
}

const isAbsent = (error: unknown, name: string): boolean =>
  (error as { code?: string }).code === "MODULE_NOT_FOUND" && String(error).includes(`'${name}'`);

function explainLoad(error: unknown, name: string): string {
  const { message = String(error) } = error as Error;
  if (/can not be found at path/.test(message))
    return `${name} is installed without TensorFlow's library, which npx mezo gpu-link <folder> links`;
  const { folder } = readLinked() ?? {};
  return `${name} does not load the library it is linked to${folder ? `, of ${folder}` : ""} (${message}): npx mezo gpu-link <folder> links another`;
}

/** Has the addon's errors be sentences, and tells what it runs on. */
function start(written: string): string {
  const backend = tf.findBackend("tensorflow") as unknown as { binding: Binding; isUsingGpuDevice: boolean };
  backend.binding = withSentences(backend.binding);
  const { TF_Version: version } = backend.binding;
  const linked = readLinked();
  const from = linked?.version === version ? `; linked from ${linked.folder}` : "";
  return `TensorFlow ${version}${backend.isUsingGpuDevice ? `, ${cardText()}` : ` on the processor (no GPU: ${reasonText(written)})`}${from}`;
}

function cardText(): string {
  const [gpu] = findGpus();
  return gpu ? `${gpu.name}, ${gibibytes(gpu.totalBytes)}, ${gibibytes(gpu.freeBytes)} free` : "a GPU";
}

const reasonText = (written: string): string =>
  readGpuReason(written) ?? readLinked()?.reason ?? "TensorFlow gives no reason, as builds of it without CUDA do";

/** The addon, whose errors are KitErrors where they have causes that users can do something about. */
function withSentences(binding: Binding): Binding {
  const explained =
    <A extends unknown[], T>(work: (...args: A) => T, ask: (...args: A) => string) =>
    (...args: A): T => {
      try {
        return work(...args);
      } catch (error) {
        throw explainFailure(error, ask(...args));
      }
    };
  const sentences = {
    executeOp: explained(binding.executeOp, (name) => name),
    createTensor: explained(binding.createTensor, (shape) => `a tensor [${shape}]`),
    tensorDataSync: explained(binding.tensorDataSync, () => "the values of a tensor"),
  };
  return Object.create(binding, Object.getOwnPropertyDescriptors(sentences));
}
