import * as tf from "@tensorflow/tfjs";
import type { NoisyWeight, Storage } from "../storage.ts";
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

function sweep({ tensor, key, keep }: NoisyWeight, scale: number, law: Parameters<Storage["sweep"]>[2]): void {
  bufferOf(tensor);
  const integers = [key.k0, key.k1, key.stream, 0].map((value) => ({ type: "uint32" as const, data: [value] }));
  const floats = [scale, keep].map((value) => ({ type: "float32" as const, data: [value] }));
  gpu().runWebGPUProgram(noiseProgram(tensor.shape, law), [], "float32", [...integers, ...floats], tensor);
}

/** Weights in buffers of the GPU. TensorFlow.js collects commands before it sends them: what is written must wait for those. */
export const gpuStorage: Storage = {
  sweep: (weights, scale, law) => {
    for (const weight of weights) if (!weight.tensor.shape.includes(0)) sweep(weight, scale, law);
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
