import * as tf from "@tensorflow/tfjs-core";

/** The name under which TensorFlow.js knows the backend. */
export const WEBGPU = "webgpu";

/** What is used of TensorFlow.js's WebGPU backend beneath its public face; the version is pinned. */
export interface GpuBackend {
  readonly device: GpuDevice;
  readonly queue: GpuQueue;
  readonly tensorMap: { has(dataId: object): boolean; get(dataId: object): Entry };
  readonly bufferManager: BufferManager;
  /** Freed tensors whose buffers recorded commands still use. */
  readonly tensorDataPendingDisposal: readonly object[];
  readonly commandQueueOwnedIds: WeakSet<object>;
  readonly commandEncoder: CommandEncoder | null;
  dispatchCountInPass: number;
  computePassEncoder: ComputePass | null;
  uploadToGPU(dataId: object): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  makeTensorInfo(shape: readonly number[], dtype: tf.DataType, values?: ArrayBufferView): tf.TensorInfo;
  disposeData(dataId: object): boolean;
}

/** A tensor: its buffer on the GPU, and its values where they were read from there or are not there yet. */
export interface Entry {
  readonly shape: readonly number[];
  resource: GpuBuffer | null;
  values: ArrayBufferView | null;
}

/** What keeps freed buffers for the next tensor of the same size. */
export interface BufferManager {
  readonly freeBuffers: Map<string, GpuBuffer[]>;
  readonly numBytesUsed: number;
  numBytesAllocated: number;
  numFreeBuffers: number;
  acquireBuffer(size: number, usage: number, isMapped?: boolean, reuse?: boolean): GpuBuffer;
  releaseBuffer(buffer: GpuBuffer, reuse?: boolean): void;
}

/** The parts of a GPUQueue that are used. */
export interface GpuQueue {
  submit(commands: readonly object[]): void;
  writeBuffer(buffer: GpuBuffer, offset: number, values: ArrayBufferView): void;
}

/** The parts of a GPUCommandEncoder that are used. */
export interface CommandEncoder {
  copyBufferToBuffer(from: GpuBuffer, fromOffset: number, to: GpuBuffer, toOffset: number, bytes: number): void;
  beginComputePass(): ComputePass;
}

/** The parts of a GPUComputePassEncoder that are used. */
export interface ComputePass {
  setPipeline(pipeline: object): void;
  setBindGroup(index: number, group: object, offsets: readonly number[]): void;
  dispatchWorkgroups(x: number, y: number, z: number): void;
}

/** The parts of a GPUDevice that are used; the packages' own types are of different versions of WebGPU. */
export interface GpuDevice {
  readonly features: ReadonlySet<string>;
  readonly limits: Readonly<Record<string, number>>;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  createShaderModule(description: { code: string }): object;
  createBindGroupLayout(description: object): object;
  createPipelineLayout(description: object): object;
  createComputePipeline(description: object): object;
  createBindGroup(description: object): object;
  createBuffer(description: { size: number; usage: number; mappedAtCreation?: boolean }): GpuBuffer;
  addEventListener(
    type: "uncapturederror",
    listen: (event: { readonly error: { readonly message: string }; preventDefault?(): void }) => void,
  ): void;
  pushErrorScope(filter: string): void;
  popErrorScope(): Promise<{ readonly message: string } | null>;
  destroy(): void;
}

/** The parts of a GPUBuffer that are used. */
export interface GpuBuffer {
  readonly size: number;
  readonly usage: number;
  mapAsync(mode: number, offset?: number, bytes?: number): Promise<void>;
  getMappedRange(offset?: number, bytes?: number): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}

/** WebGPU's numbers for what a buffer is for. */
export const USAGE = { mapRead: 0x1, copySource: 0x4, copyTarget: 0x8, uniform: 0x40, storage: 0x80 } as const;

/** What a tensor's buffer is for, by TensorFlow.js's rules. */
export const TENSOR_USAGE: number = USAGE.storage | USAGE.copySource | USAGE.copyTarget;

/** TensorFlow.js's WebGPU backend. */
export const gpu = (): GpuBackend => tf.backend() as unknown as GpuBackend;
