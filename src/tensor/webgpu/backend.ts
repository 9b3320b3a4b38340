import * as tf from "@tensorflow/tfjs";
import { KitError } from "../../error.ts";
import type { Backend } from "../storage.ts";
import { gpuStorage } from "./storage.ts";

/** What is used of WebGPU here; the packages' own types are of different versions of it. */
interface Gpu {
  requestAdapter(options: object): Promise<{ readonly info: AdapterInfo } | null>;
}

interface AdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
}

interface Dawn {
  create(options: string[]): Gpu;
  readonly globals: object;
}

const unavailable = (why: string): KitError => new KitError(`WebGPU cannot be used here: ${why}.`);

async function importDawn(): Promise<Dawn> {
  try {
    return (await import("webgpu" as string)) as Dawn;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw unavailable(`the npm package webgpu does not load (${reason}); it needs a system with glibc 2.34 or later`);
  }
}

/**
 * TensorFlow.js looks for `navigator.gpu` while its WebGPU backend is loaded. The object stays reachable from the global one for
 * good: where it is collected, the process hangs.
 */
function announce(gpu: Gpu): void {
  const scope = globalThis as { navigator?: object };
  if (!scope.navigator) Object.defineProperty(scope, "navigator", { value: {}, configurable: true });
  Object.defineProperty(scope.navigator, "gpu", { value: gpu, configurable: true });
}

async function open(): Promise<string> {
  const { create, globals } = await importDawn();
  Object.assign(globalThis, globals);
  const gpu = create([]);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter)
    throw unavailable(
      "no GPU was found; it takes one with a driver for Vulkan (and libvulkan.so.1), Metal or Direct3D 12",
    );
  announce(gpu);
  await import("@tensorflow/tfjs-backend-webgpu");
  tf.env().set("WEBGPU_CPU_FORWARD", false); // small tensors too are computed on the GPU
  tf.env().set("WEBGPU_MATMUL_PROGRAM_TYPE", PACKED);
  const { vendor, architecture, device, description } = adapter.info;
  return description || device || `${vendor} ${architecture}`;
}

/** The matrix product that adds up in one order always; another one adds floats as they come. */
const PACKED = 3;

let opened: Promise<string> | undefined;

/** Any GPU, through Dawn. Results cannot be read synchronously: `data()` works, `dataSync()` and `arraySync()` do not. */
export const webgpu: Backend = {
  about: "any GPU with a driver for Vulkan, Metal or Direct3D 12; comes with npm install",
  storage: gpuStorage,
  load: () => {
    opened ??= open();
    return opened;
  },
};
