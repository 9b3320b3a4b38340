import * as tf from "@tensorflow/tfjs-core";
import { KitError } from "../../error.ts";
import type { Distribution, Move } from "../noise/key.ts";
import { type Backend, noHalves, type Storage } from "../storage.ts";
import { noiseProgram, type Program } from "./noise.ts";

/** What is used of TensorFlow.js's WebGPU backend beneath its public face; the version is pinned. */
interface GpuBackend {
  readonly tensorMap: { get(dataId: object): Entry };
  readonly queue: { writeBuffer(buffer: object, offset: number, values: Float32Array): void };
  readonly commandEncoder: {
    copyBufferToBuffer(from: object, fromOffset: number, to: object, toOffset: number, bytes: number): void;
  };
  readonly commandQueueOwnedIds: WeakSet<object>;
  uploadToGPU(dataId: object): void;
  read(dataId: object): Promise<object>;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  runWebGPUProgram(
    program: Program,
    inputs: readonly tf.TensorInfo[],
    dtype: tf.DataType,
    uniforms: readonly { type: "uint32" | "float32"; data: number[] }[],
    output: tf.TensorInfo,
  ): tf.TensorInfo;
}

/** A tensor: its buffer on the GPU, and its values where they were read from there or are not there yet. */
interface Entry {
  readonly resource: object;
  values: Float32Array | null;
}

const gpu = (): GpuBackend => tf.backend() as unknown as GpuBackend;

/** The tensor's buffer, about to be written to: what was read from it before counts no longer. */
function bufferOf({ dataId }: tf.TensorInfo): object {
  gpu().uploadToGPU(dataId);
  const entry = gpu().tensorMap.get(dataId);
  entry.values = null;
  return entry.resource;
}

function move(tensor: tf.TensorInfo, { key, scale, keep }: Move, law: Distribution): void {
  bufferOf(tensor);
  const integers = [key.k0, key.k1, key.stream, 0].map((value) => ({ type: "uint32" as const, data: [value] }));
  const floats = [scale, keep].map((value) => ({ type: "float32" as const, data: [value] }));
  gpu().runWebGPUProgram(noiseProgram(tensor.shape, law), [], "float32", [...integers, ...floats], tensor);
}

/** Weights in buffers of the GPU. TensorFlow.js collects commands before it sends them: what is written must wait for those. */
export const gpuStorage: Storage = {
  move: (weights, law) => {
    for (const { tensor, moves } of weights)
      if (!tensor.shape.includes(0)) for (const each of moves) move(tensor, each, law);
  },
  fill: (tensor, write) => {
    const values = new Float32Array(tf.util.sizeFromShape(tensor.shape));
    write(values);
    const backend = gpu();
    const buffer = bufferOf(tensor);
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    backend.submitQueue();
    backend.queue.writeBuffer(buffer, 0, values);
  },
  weight: (shape, readValues, kind) => {
    if (kind) throw noHalves(kind);
    const values = new Float32Array(tf.util.sizeFromShape([...shape]));
    readValues(values, 0);
    return tf.tensor(values, [...shape]);
  },
  refill: (tensor, readValues) => gpuStorage.fill(tensor, (values) => readValues(values, 0)),
  read: async function* (tensor) {
    yield (await gpu().read(tensor.dataId)) as Float32Array;
  },
  sides: (weights, eps, law) =>
    weights.map(({ tensor, key }) => {
      const [plus, minus] = [eps, -eps].map((scale) => {
        const side = tf.zeros<tf.Rank>(tensor.shape);
        gpuStorage.copy(tensor, side);
        gpuStorage.move([{ tensor: side, moves: [{ key, scale, keep: 1 }] }], law);
        return side;
      });
      return { plus: plus!, minus: minus! };
    }),
  copy: (from, to) => {
    const backend = gpu();
    backend.uploadToGPU(from.dataId);
    const [source, target] = [backend.tensorMap.get(from.dataId).resource, bufferOf(to)];
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    backend.commandEncoder.copyBufferToBuffer(source, 0, target, 0, 4 * tf.util.sizeFromShape(to.shape));
    for (const { dataId } of [from, to]) backend.commandQueueOwnedIds.add(dataId); // neither buffer goes before the copy is made
  },
};

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
