import * as tf from "@tensorflow/tfjs-core";

/** The name under which TensorFlow.js knows the backend. */
export const WEBGPU = "webgpu";

/** What is used of TensorFlow.js's WebGPU backend beneath its public face; the version is pinned. */
export interface GpuBackend {
  readonly device: GPUDeviceLike;
  readonly queue: { writeBuffer(buffer: object, offset: number, values: ArrayBufferView): void };
  readonly tensorMap: { get(dataId: object): Entry };
  readonly commandQueueOwnedIds: WeakSet<object>;
  commandEncoder: CommandEncoder;
  computePassEncoder: ComputePass | null;
  dispatchCountInPass: number;
  uploadToGPU(dataId: object): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  makeTensorInfo(shape: readonly number[], dtype: tf.DataType): tf.TensorInfo;
}

/** A tensor: its buffer on the GPU, and its values where they were read from there or are not there yet. */
export interface Entry {
  resource: object;
  values: ArrayBufferView | null;
}

interface CommandEncoder {
  copyBufferToBuffer(from: object, fromOffset: number, to: object, toOffset: number, bytes: number): void;
  beginComputePass(): ComputePass;
}

interface ComputePass {
  setPipeline(pipeline: object): void;
  setBindGroup(index: number, group: object): void;
  dispatchWorkgroups(x: number, y: number, z: number): void;
}

/** The parts of a GPUDevice that are used; the packages' own types are of different versions of WebGPU. */
export interface GPUDeviceLike {
  readonly features: ReadonlySet<string>;
  readonly limits: Readonly<Record<string, number>>;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  createShaderModule(description: { code: string }): object;
  createComputePipeline(description: object): { getBindGroupLayout(index: number): object };
  createBindGroup(description: object): object;
  createBuffer(description: { size: number; usage: number; mappedAtCreation?: boolean }): GPUBufferLike;
  pushErrorScope(filter: string): void;
  popErrorScope(): Promise<{ readonly message: string } | null>;
  destroy(): void;
}

/** The parts of a GPUBuffer that are used. */
export interface GPUBufferLike {
  readonly size: number;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}

/** TensorFlow.js's WebGPU backend. */
export const gpu = (): GpuBackend => tf.backend() as unknown as GpuBackend;

/** A parameter of a shader: an unsigned integer, or a float. */
export type Param = { readonly u32: number } | { readonly f32: number };

/** A program of the kit's own in WGSL. */
export interface Shader {
  /** Tells it from all others: with the code's variant, not with sizes. */
  readonly name: string;
  /**
   * WGSL with one `@compute fn main`. Buffers are `@group(0) @binding(i)`, in the order in which `dispatch` gets them; the struct of the
   * parameters, `params`, is declared before it by `dispatch`, in the order in which it gets them, on the binding after the last buffer.
   */
  readonly code: string;
}

/** One run of a shader. */
export interface Dispatch {
  /** Of tensors that were there before and of results alike, and constants. */
  readonly buffers: readonly (tf.TensorInfo | GPUBufferLike)[];
  readonly params: Readonly<Record<string, Param>>;
  readonly groups: readonly [x: number, y?: number, z?: number];
}

interface Pipeline {
  readonly pipeline: object;
  readonly layout: object;
  readonly groups: Map<string, object>;
}

const pipelines = new WeakMap<object, Map<string, Pipeline>>();

/** Records a run of a shader among TensorFlow.js's own commands, in order. Pipelines, parameters and bind groups are kept for the next time. */
export function dispatch(shader: Shader, { buffers, params, groups }: Dispatch): void {
  const backend = gpu();
  const found = findPipeline(backend, shader, params);
  const resources = buffers.map((buffer) => ("dataId" in buffer ? resourceOf(backend, buffer) : buffer));
  const group = findGroup(backend.device, found, [...resources, parameterBuffer(backend.device, params)]);
  backend.ensureCommandEncoderReady();
  backend.computePassEncoder ??= backend.commandEncoder.beginComputePass();
  const pass = backend.computePassEncoder;
  pass.setPipeline(found.pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(groups[0], groups[1] ?? 1, groups[2] ?? 1);
  backend.dispatchCountInPass++;
  if (backend.dispatchCountInPass < BATCH) return;
  backend.endComputePassEncoder();
  backend.submitQueue();
}

/** A tensor's buffer, which stays until what is recorded now was sent. */
function resourceOf(backend: GpuBackend, { dataId }: tf.TensorInfo): GPUBufferLike {
  backend.uploadToGPU(dataId);
  backend.commandQueueOwnedIds.add(dataId);
  return backend.tensorMap.get(dataId).resource as GPUBufferLike;
}

/** Dispatches that are sent to the GPU together. */
const BATCH = 64;

function findPipeline({ device }: GpuBackend, { name, code }: Shader, params: Dispatch["params"]): Pipeline {
  const known = pipelines.get(device) ?? new Map<string, Pipeline>();
  pipelines.set(device, known);
  const found = known.get(name);
  if (found) return found;
  const fields = Object.entries(params).map(([field, value]) => `${field} : ${"u32" in value ? "u32" : "f32"},`);
  const module = device.createShaderModule({ code: `struct Params { ${fields.join(" ")} }\n${code}` });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const made = { pipeline, layout: pipeline.getBindGroupLayout(0), groups: new Map<string, object>() };
  known.set(name, made);
  return made;
}

const numbers = new WeakMap<object, number>();
let count = 0;

function numberOf(buffer: object): number {
  const known = numbers.get(buffer) ?? count++;
  numbers.set(buffer, known);
  return known;
}

/** Bind groups and parameters that are kept: those of many batches' shapes. */
const MOST_KEPT = 4096;

function findGroup(device: GPUDeviceLike, { layout, groups }: Pipeline, buffers: readonly object[]): object {
  const key = buffers.map(numberOf).join(" ");
  const found = groups.get(key);
  if (found) return found;
  if (groups.size >= MOST_KEPT) groups.clear();
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const made = device.createBindGroup({ layout, entries });
  groups.set(key, made);
  return made;
}

const parameters = new WeakMap<object, Map<string, GPUBufferLike>>();
const UNIFORM = 0x40;

/** A buffer that holds these parameters and is never written again. */
function parameterBuffer(device: GPUDeviceLike, params: Dispatch["params"]): GPUBufferLike {
  const words = new Uint32Array(4 * Math.ceil(Object.keys(params).length / 4));
  const floats = new Float32Array(words.buffer);
  Object.values(params).forEach((value, i) => {
    if ("u32" in value) words[i] = value.u32;
    else floats[i] = value.f32;
  });
  const known = parameters.get(device) ?? new Map<string, GPUBufferLike>();
  parameters.set(device, known);
  const key = words.join(" ");
  const found = known.get(key);
  if (found) return found;
  if (known.size >= MOST_KEPT) known.clear();
  const made = device.createBuffer({ size: words.byteLength, usage: UNIFORM, mappedAtCreation: true });
  new Uint32Array(made.getMappedRange()).set(words);
  made.unmap();
  known.set(key, made);
  return made;
}

/** A tensor for a shader's result. */
export function output(shape: readonly number[], dtype: tf.DataType = "float32"): tf.TensorInfo {
  return gpu().makeTensorInfo([...shape], dtype);
}

/** Inputs and attributes of a kernel, as TensorFlow.js hands them over. */
export interface KernelCall {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: Readonly<Record<string, unknown>>;
}

/** Registers the kernel of one of the kit's operations on WebGPU. */
export function webgpuKernel(kernelName: string, make: (call: KernelCall) => tf.TensorInfo): void {
  tf.registerKernel({
    kernelName,
    backendName: WEBGPU,
    kernelFunc: (call) => make(call as unknown as KernelCall),
  });
}
