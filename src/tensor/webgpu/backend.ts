import * as tf from "@tensorflow/tfjs-core";
import { KitError } from "../../error.ts";
import type { Backend } from "../storage.ts";
import { widened } from "./dispatch.ts";
import { faultsOf } from "./faults.ts";
import { type GpuBackend, type GpuDevice, WEBGPU } from "./gpu.ts";
import { formatOf, kindOf } from "./halves.ts";
import { boundPool, gpuMemory, watchBuffers } from "./memory.ts";
import { gpuStorage, readPieces } from "./storage.ts";
import { BATCH } from "./uniforms.ts";

/** What is used of WebGPU to find a device. */
interface Gpu {
  requestAdapter(options: object): Promise<Adapter | null>;
}

interface Adapter {
  readonly info: Readonly<Record<"vendor" | "architecture" | "device" | "description", string>>;
  readonly features: ReadonlySet<string>;
  readonly limits: Readonly<Record<string, number>>;
  requestDevice(description: object): Promise<GpuDevice>;
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

/** Dawn hides the feature shader-f16 on NVIDIA's cards but for this. */
const OPTIONS = ["enable-dawn-features=vulkan_enable_f16_on_nvidia"];

async function findAdapter(): Promise<Adapter> {
  const { create, globals } = await importDawn();
  Object.assign(globalThis, globals);
  const gpu = create(OPTIONS);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter)
    throw unavailable(
      "no GPU was found; it takes one with a driver for Vulkan (and libvulkan.so.1), Metal or Direct3D 12",
    );
  announce(gpu);
  return adapter;
}

/**
 * TensorFlow.js looks for `navigator.gpu` when its WebGPU backend begins. The object stays reachable from the global one for good: where
 * it is collected, the process hangs.
 */
function announce(gpu: Gpu): void {
  const scope = globalThis as { navigator?: object };
  if (!scope.navigator) Object.defineProperty(scope, "navigator", { value: {}, configurable: true });
  Object.defineProperty(scope.navigator, "gpu", { value: gpu, configurable: true });
}

/** Features that are asked for where the adapter has them, as people call them. */
const FEATURES = { "shader-f16": "float16", subgroups: "subgroups", "timestamp-query": "timestamps" } as const;

/** Limits that are asked for as the adapter has them; a device has the least that WebGPU allows otherwise. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
];

async function makeDevice({ features, limits, requestDevice }: Adapter, adapter: Adapter): Promise<GpuDevice> {
  const device = await requestDevice.call(adapter, {
    requiredFeatures: Object.keys(FEATURES).filter((feature) => features.has(feature)),
    requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, limits[name]])),
  });
  watchBuffers(device);
  return device;
}

/** What of TensorFlow.js's backend is run in another way here. */
interface Patched extends GpuBackend {
  read(dataId: object): Promise<ArrayBufferView>;
  runWebGPUProgram(program: object, inputs: readonly tf.TensorInfo[], ...rest: unknown[]): tf.TensorInfo;
}

/** Stock kernels see float32 alone: a weight of 16 bits is widened for them, into a tensor that goes with the command. */
function widenInputs(backend: Patched): void {
  const run = backend.runWebGPUProgram.bind(backend);
  backend.runWebGPUProgram = (program, inputs, ...rest) => {
    const seen = inputs.map((tensor) => (formatOf(tensor) === "float32" ? tensor : widened(tensor)));
    const result = run(program, seen, ...rest);
    seen.forEach((tensor, i) => {
      if (tensor !== inputs[i]) backend.disposeData(tensor.dataId);
    });
    return result;
  };
}

/** Reads throw what went wrong on the GPU before, and see weights of 16 bits widened. */
function checkReads(backend: Patched, afterRead: () => void): void {
  const [read, faults] = [backend.read.bind(backend), faultsOf(backend.device)];
  backend.read = async (dataId) => {
    try {
      const values = await (isHalf(dataId) ? readWhole(backend, dataId) : read(dataId));
      await faults.settle();
      afterRead();
      return values;
    } catch (error) {
      if (backend.tensorMap.has(dataId)) backend.tensorMap.get(dataId).values = null; // zeros, maybe
      throw await faults.explain(error);
    }
  };
}

const isHalf = (dataId: object): boolean => kindOf({ dataId } as tf.TensorInfo) !== undefined;

async function readWhole(backend: GpuBackend, dataId: object): Promise<Float32Array> {
  const { shape } = backend.tensorMap.get(dataId);
  const values = new Float32Array(tf.util.sizeFromShape([...shape]));
  let from = 0;
  for await (const piece of readPieces({ dataId, shape: [...shape], dtype: "float32" })) {
    values.set(piece, from);
    from += piece.length;
  }
  return values;
}

/** The matrix product that adds up in one order always; another one adds floats as they come. */
const PACKED = 3;

async function open(): Promise<string> {
  const adapter = await findAdapter();
  const device = await makeDevice(adapter, adapter);
  const { WebGPUBackend } = (await import("@tensorflow/tfjs-backend-webgpu")) as unknown as {
    WebGPUBackend: new (device: GpuDevice, info: object) => Patched & tf.KernelBackend;
  };
  const backend = new WebGPUBackend(device, adapter.info);
  checkReads(backend, boundPool(backend).age);
  widenInputs(backend);
  if (tf.findBackendFactory(WEBGPU)) tf.removeBackend(WEBGPU); // the package's own, whose device has no limits of the adapter
  tf.registerBackend(WEBGPU, () => backend);
  tf.env().set("WEBGPU_CPU_FORWARD", false); // small tensors too are computed on the GPU
  tf.env().set("WEBGPU_MATMUL_PROGRAM_TYPE", PACKED);
  tf.env().set("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE", BATCH);
  return describe(adapter, device);
}

function describe({ info: { vendor, architecture, device: name, description } }: Adapter, device: GpuDevice): string {
  const found = Object.entries(FEATURES).flatMap(([feature, called]) => (device.features.has(feature) ? [called] : []));
  const gibibytes = (device.limits.maxStorageBufferBindingSize! / 2 ** 30).toFixed(1);
  const traits = [...found, `tensors of up to ${gibibytes} GiB`].join(", ");
  return `${description || name || `${vendor} ${architecture}`} (${traits})`;
}

let opened: Promise<string> | undefined;

/** Any GPU, through Dawn. Results cannot be read synchronously: `data()` works, `dataSync()` and `arraySync()` do not. */
export const webgpu: Backend = {
  about: "any GPU with a driver for Vulkan, Metal or Direct3D 12; comes with npm install",
  storage: gpuStorage,
  memory: () => gpuMemory,
  load: () => {
    opened ??= open();
    return opened;
  },
};
