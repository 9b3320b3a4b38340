import * as tf from "@tensorflow/tfjs-core";
import { type GpuBackend, type GpuBuffer, type GpuDevice, gpu, WEBGPU } from "./gpu.ts";
import { formatOf, loadWeight } from "./halves.ts";
import { BATCH, type Param, SLOT, uniformsOf } from "./uniforms.ts";

export type { Param };

/** A program of the kit's own in WGSL. */
export interface Shader {
  /** Tells it from all others: with the code's variant, not with sizes. */
  readonly name: string;
  /**
   * WGSL with one `@compute fn main`. It declares its buffers, `@group(0) @binding(i) var<storage, read or read_write> name : array<…>;`, in
   * the order in which `dispatch` gets them; no buffer may be bound twice where it is written. `dispatch` declares the uniform `params`,
   * a struct of the parameters by name, where there are any.
   */
  readonly code: string;
}

/** What a shader may read or write: a tensor, or a buffer that is no tensor's. */
export type Bound = tf.TensorInfo | GpuBuffer;

const isTensor = (bound: Bound): bound is tf.TensorInfo => "dataId" in bound;

/** One run of a shader. */
export interface Dispatch {
  /**
   * Of tensors that were there before and of results alike, and of constants. Where a shader that reads `array<f32>` gets a weight of 16 bits, it sees it widened.
   */
  readonly buffers: readonly Bound[];
  readonly params: Readonly<Record<string, Param>>;
  readonly groups: readonly [x: number, y?: number, z?: number];
}

/** Workgroups in a dimension at most, by WebGPU's rules. */
const MOST_GROUPS = 65_535;

/** Many workgroups, over two dimensions; the shader's index of one is `group.y * groups.x + group.x`, which may be beyond the last. */
export function flatGroups(count: number): [number, number] {
  const y = Math.ceil(count / MOST_GROUPS);
  return [Math.ceil(count / Math.max(1, y)), y];
}

/** Records a run of a shader among TensorFlow.js's own commands, in order. Pipelines and bind groups are kept for the next time. */
export function dispatch(shader: Shader, { buffers, params, groups }: Dispatch): void {
  if (groups.includes(0)) return;
  const backend = gpu();
  const pipeline = findPipeline(backend, shader, Object.entries(params), buffers.length);
  const asked = buffers.map((bound, i) => asFloats(bound, pipeline.bindings[i]!, shader));
  record(backend, pipeline, asked, Object.values(params), groups);
  asked.forEach((bound, i) => {
    if (bound !== buffers[i] && isTensor(bound)) backend.disposeData(bound.dataId);
  });
}

function asFloats(bound: Bound, { isFloat, isWritten }: Binding, { name }: Shader): Bound {
  if (!isTensor(bound) || !isFloat || formatOf(bound) === "float32") return bound;
  if (isWritten) throw new Error(`The shader ${name} writes float32, but was given a weight of 16 bits.`);
  return widened(bound);
}

function record(
  backend: GpuBackend,
  { pipeline, layout, bindings, bindGroups }: Pipeline,
  buffers: readonly Bound[],
  params: readonly Param[],
  [x, y = 1, z = 1]: Dispatch["groups"],
): void {
  for (const { dataId } of buffers.filter(isTensor)) backend.uploadToGPU(dataId); // which may send what was recorded before
  const resources = buffers.map((bound, i) => {
    if (!isTensor(bound)) return bound;
    const { dataId } = bound;
    backend.commandQueueOwnedIds.add(dataId); // it stays until the commands are sent
    const entry = backend.tensorMap.get(dataId);
    if (bindings[i]!.isWritten) entry.values = null; // what was read from it before counts no longer
    return entry.resource!;
  });
  const uniforms = params.length ? [uniformsOf(backend)] : [];
  const group = findGroup(backend.device, layout, bindGroups, [
    ...resources.map((buffer) => ({ buffer })),
    ...uniforms.map(({ buffer }) => ({ buffer, size: SLOT })),
  ]);
  backend.ensureCommandEncoderReady();
  backend.computePassEncoder ??= backend.commandEncoder!.beginComputePass();
  const pass = backend.computePassEncoder;
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    group,
    uniforms.map((ring) => ring.put(params)),
  );
  pass.dispatchWorkgroups(x, y, z);
  backend.dispatchCountInPass++;
  if (backend.dispatchCountInPass >= BATCH) submit(backend);
}

/** Sends what was recorded to the GPU. */
export function submit(backend: GpuBackend): void {
  if (!backend.commandEncoder) return;
  backend.endComputePassEncoder();
  backend.submitQueue();
}

interface Binding {
  readonly isWritten: boolean;
  /** Whether the shader sees float32 numbers. */
  readonly isFloat: boolean;
}

interface Pipeline {
  readonly pipeline: object;
  readonly layout: object;
  readonly bindings: readonly Binding[];
  readonly bindGroups: Map<string, object>;
}

const pipelines = new WeakMap<object, Map<string, Pipeline>>();

type Fields = readonly (readonly [string, Param])[];

function findPipeline({ device }: GpuBackend, shader: Shader, fields: Fields, buffers: number): Pipeline {
  const known = pipelines.get(device) ?? new Map<string, Pipeline>();
  pipelines.set(device, known);
  const found = known.get(shader.name) ?? makePipeline(device, shader, fields, buffers);
  known.set(shader.name, found);
  return found;
}

/** A buffer's declaration in WGSL. */
const BUFFER =
  /@group\(0\)\s*@binding\((\d+)\)\s*var<storage(?:,\s*(read|read_write))?>\s*\w+\s*:\s*array<([^;]*)>\s*;/g;

const COMPUTE = 4;

function makePipeline(device: GpuDevice, { name, code }: Shader, fields: Fields, buffers: number): Pipeline {
  const declared = [...code.matchAll(BUFFER)].sort((a, b) => Number(a[1]) - Number(b[1]));
  if (declared.length !== buffers)
    throw new Error(`The shader ${name} declares ${declared.length} buffers and got ${buffers}.`);
  const bindings = declared.map(([, , access, type]) => ({
    isWritten: access === "read_write",
    isFloat: type!.includes("f32"),
  }));
  const entries = bindings.map(({ isWritten }, binding) => ({
    binding,
    visibility: COMPUTE,
    buffer: { type: isWritten ? "storage" : "read-only-storage" },
  }));
  const uniform = { binding: buffers, visibility: COMPUTE, buffer: { type: "uniform", hasDynamicOffset: true } };
  const layout = device.createBindGroupLayout({ entries: fields.length ? [...entries, uniform] : entries });
  const module = device.createShaderModule({ code: declareParams(fields, buffers) + code });
  const pipeline = device.createComputePipeline({
    label: name,
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: "main" },
  });
  return { pipeline, layout, bindings, bindGroups: new Map() };
}

function declareParams(fields: Fields, binding: number): string {
  if (fields.length === 0) return "";
  const members = fields.map(([field, value]) => `${field} : ${"u32" in value ? "u32" : "f32"},`);
  return `struct Params { ${members.join(" ")} }\n@group(0) @binding(${binding}) var<uniform> params : Params;\n`;
}

const numbers = new WeakMap<object, number>();
let count = 0;

/** No two buffers ever have one number, so that a bind group of a destroyed one is never found again. */
function numberOf(buffer: object): number {
  const known = numbers.get(buffer) ?? count++;
  numbers.set(buffer, known);
  return known;
}

/** Bind groups of a pipeline that are kept: those of a model's weights and of some batches' shapes. */
const MOST_KEPT = 1024;

function findGroup(
  device: GpuDevice,
  layout: object,
  known: Map<string, object>,
  resources: readonly { readonly buffer: GpuBuffer }[],
): object {
  const key = resources.map(({ buffer }) => numberOf(buffer)).join(" ");
  const found = known.get(key);
  if (found) return found;
  if (known.size >= MOST_KEPT) known.clear();
  const entries = resources.map((resource, binding) => ({ binding, resource }));
  const made = device.createBindGroup({ layout, entries });
  known.set(key, made);
  return made;
}

const WIDEN_GROUP = 256;

const widenShader = (format: "float16" | "bfloat16"): Shader => ({
  name: `widen ${format}`,
  code: `
@group(0) @binding(0) var<storage, read> halves : array<u32>;
@group(0) @binding(1) var<storage, read_write> result : array<f32>;
${loadWeight(format, "halves")}
@compute @workgroup_size(${WIDEN_GROUP})
fn main(@builtin(workgroup_id) group : vec3<u32>, @builtin(num_workgroups) groups : vec3<u32>, @builtin(local_invocation_index) lane : u32) {
  let i = (group.y * groups.x + group.x) * ${WIDEN_GROUP}u + lane;
  if (i < params.size) { result[i] = weightAt(i); }
}`,
});

/** The values of a weight of 16 bits in a new float32 tensor, exactly. */
export function widened(tensor: tf.TensorInfo): tf.TensorInfo {
  const size = tf.util.sizeFromShape(tensor.shape);
  const result = output(tensor.shape);
  dispatch(widenShader(formatOf(tensor) as "float16" | "bfloat16"), {
    buffers: [tensor, result],
    params: { size: { u32: size } },
    groups: flatGroups(Math.ceil(size / WIDEN_GROUP)),
  });
  return result;
}

/** A tensor for a shader's result. */
export function output(shape: readonly number[], dtype: tf.DataType = "float32"): tf.TensorInfo {
  const isEmpty = shape.includes(0);
  return gpu().makeTensorInfo([...shape], dtype, isEmpty ? new Float32Array(0) : undefined);
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
