import * as tf from "@tensorflow/tfjs-core";
import { narrow, widen } from "../halves.ts";
import type { NoiseKey } from "../noise/key.ts";
import type { HalfFormat, HalfKind } from "../source.ts";
import { type Both, eachPiece, filled, type ReadValues, type Storage } from "../storage.ts";
import { constantBuffer } from "./constants.ts";
import { dispatch, flatGroups, output, type Shader, submit, widened } from "./dispatch.ts";
import { faultsOf } from "./faults.ts";
import { type GpuBackend, type GpuBuffer, gpu, USAGE } from "./gpu.ts";
import { formatBytes, formatOf, halfTensor, kindOf, roundPair } from "./halves.ts";
import { ADD_SCALED, moveShader, noiseGroups, noiseParams, sidesShader } from "./noise.ts";

const sizeOf = ({ shape }: tf.TensorInfo): number => tf.util.sizeFromShape(shape);

/** The backend, once it is known that nothing went wrong on the GPU before. */
function sound(): GpuBackend {
  const backend = gpu();
  faultsOf(backend.device).check();
  return backend;
}

/** The tensor's buffer, made where there is none yet. */
function bufferOf(backend: GpuBackend, { dataId }: tf.TensorInfo): GpuBuffer {
  backend.uploadToGPU(dataId);
  return backend.tensorMap.get(dataId).resource!;
}

const blank = (shape: readonly number[]): tf.Tensor => tf.engine().makeTensorFromTensorInfo(output(shape));

/** Bytes written after which they are sent, so that the driver's copies of them do not add up over a model's weights. */
const SENT_BYTES = 2 ** 26;
let waitingBytes = 0;

/** Writes values to a tensor's buffer as they come, rounded to the nearest where it is kept in 16 bits. */
function writePieces(tensor: tf.TensorInfo, readValues: ReadValues): void {
  const [backend, kind, size] = [sound(), kindOf(tensor), sizeOf(tensor)];
  if (size === 0) return;
  const buffer = bufferOf(backend, tensor);
  submit(backend); // what still reads the old values
  backend.tensorMap.get(tensor.dataId).values = null;
  eachPiece(size, readValues, (values, from) => {
    const piece = kind ? pack(values, kind) : values;
    backend.queue.writeBuffer(buffer, formatBytes(formatOf(tensor), from), piece);
    waitingBytes += piece.byteLength;
    if (waitingBytes < SENT_BYTES) return;
    backend.queue.submit([]);
    waitingBytes = 0;
  });
}

/** Values in 16 bits, with one more where it takes one to fill the last word. */
function pack(values: Float32Array, kind: HalfKind): Uint16Array {
  const bits = new Uint16Array(2 * Math.ceil(values.length / 2));
  narrow(values, { ...kind, bits }, 0);
  return bits;
}

const PAIRS = 64;

const narrowShader = (format: HalfFormat): Shader => ({
  name: `narrow ${format}`,
  code: `
@group(0) @binding(0) var<storage, read> values : array<f32>;
@group(0) @binding(1) var<storage, read_write> halves : array<u32>;
${roundPair({ format, rounding: "nearest" })}
@compute @workgroup_size(${PAIRS})
fn main(@builtin(workgroup_id) group : vec3<u32>, @builtin(num_workgroups) groups : vec3<u32>, @builtin(local_invocation_index) lane : u32) {
  let i = (group.y * groups.x + group.x) * ${PAIRS}u + lane;
  if (2u * i >= params.size) { return; }
  halves[i] = roundPair(vec2(values[2u * i], values[min(2u * i + 1u, params.size - 1u)]), vec2(0u));
}`,
});

/** Rounds a float32 tensor, or one of another format, to the nearest numbers of a tensor of 16 bits. */
function narrowInto(from: tf.TensorInfo, to: tf.TensorInfo, { format }: HalfKind): void {
  const size = sizeOf(to);
  const groups = flatGroups(Math.ceil(size / (2 * PAIRS)));
  dispatch(narrowShader(format), { buffers: [from, to], params: { size: { u32: size } }, groups });
}

function copyBuffer(backend: GpuBackend, from: tf.TensorInfo, to: tf.TensorInfo): void {
  const [source, target] = [bufferOf(backend, from), bufferOf(backend, to)];
  backend.tensorMap.get(to.dataId).values = null;
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.commandEncoder!.copyBufferToBuffer(source, 0, target, 0, formatBytes(formatOf(to), sizeOf(to)));
  for (const { dataId } of [from, to]) backend.commandQueueOwnedIds.add(dataId); // neither buffer goes before the copy is made
}

function copyWidened(backend: GpuBackend, from: tf.TensorInfo, to: tf.TensorInfo): void {
  const wide = widened(from);
  copyBuffer(backend, wide, to);
  backend.disposeData(wide.dataId);
}

function copy(from: tf.TensorInfo, to: tf.TensorInfo): void {
  const [backend, kind] = [sound(), kindOf(to)];
  if (sizeOf(to) === 0) return;
  if (formatOf(from) === formatOf(to)) copyBuffer(backend, from, to);
  else if (kind) narrowInto(from, to, kind);
  else copyWidened(backend, from, to);
}

function addScaled(to: tf.TensorInfo, from: tf.TensorInfo, scale: number): void {
  const [backend, kind, size] = [sound(), kindOf(to), sizeOf(to)];
  const sum = kind ? widened(to) : to;
  const params = { zero: { u32: 0 }, size: { u32: size }, scale: { f32: scale } };
  dispatch(ADD_SCALED, { buffers: [sum, from], params, groups: flatGroups(Math.ceil(size / 64)) });
  if (!kind) return;
  narrowInto(sum, to, kind);
  backend.disposeData(sum.dataId);
}

/** Bytes that are read at a time. */
const READ_BYTES = 2 ** 23;
/** WebGPU's number for a buffer that this process is to read. */
const MAP_READ = 1;

/** Reads a tensor's buffer a piece at a time, the next one on its way while one is looked at; each is valid until the next. */
async function* readBytes(tensor: tf.TensorInfo): AsyncGenerator<ArrayBuffer> {
  const [backend, bytes] = [sound(), formatBytes(formatOf(tensor), sizeOf(tensor))];
  const source = bufferOf(backend, tensor);
  const usage = USAGE.mapRead | USAGE.copyTarget;
  const staging = [0, 1].map(() => backend.device.createBuffer({ size: Math.min(READ_BYTES, bytes), usage }));
  const ask = (from: number): Promise<void> => {
    const [into, length] = [staging[(from / READ_BYTES) % 2]!, Math.min(READ_BYTES, bytes - from)];
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    backend.commandEncoder!.copyBufferToBuffer(source, from, into, 0, length);
    backend.submitQueue();
    return into.mapAsync(MAP_READ, 0, length);
  };
  const faults = faultsOf(backend.device);
  try {
    let asked = ask(0);
    for (let from = 0; from < bytes; from += READ_BYTES) {
      await asked;
      await faults.settle();
      if (from + READ_BYTES < bytes) asked = ask(from + READ_BYTES);
      asked.catch(() => {}); // it is awaited when its turn comes
      const mapped = staging[(from / READ_BYTES) % 2]!;
      yield mapped.getMappedRange(0, Math.min(READ_BYTES, bytes - from));
      mapped.unmap();
    }
  } catch (error) {
    throw await faults.explain(error);
  } finally {
    for (const buffer of staging) buffer.destroy();
  }
}

/** The values in float32, exactly, a piece at a time, each valid until the next. */
export async function* readPieces(tensor: tf.TensorInfo): AsyncGenerator<Float32Array> {
  const [kind, size] = [kindOf(tensor), sizeOf(tensor)];
  let left = size;
  if (size === 0) return;
  for await (const bytes of readBytes(tensor)) {
    const values = kind ? widenPiece(bytes, kind, left) : new Float32Array(bytes);
    left -= values.length;
    yield values;
  }
}

function widenPiece(bytes: ArrayBuffer, kind: HalfKind, left: number): Float32Array {
  const bits = new Uint16Array(bytes, 0, Math.min(left, bytes.byteLength / 2));
  const values = new Float32Array(bits.length);
  widen({ ...kind, bits }, 0, values);
  return values;
}

function makeSides(tensor: tf.TensorInfo): Both {
  return { plus: blank(tensor.shape), minus: blank(tensor.shape) };
}

/** The buffer of a key's mask, where it has one. */
const boundMask = ({ mask }: NoiseKey): GpuBuffer[] => (mask ? [constantBuffer(mask)] : []);

/** Weights in buffers of the GPU, in float32 or in 16 bits; z is made there, and no weight leaves it but where it is read. */
export const gpuStorage: Storage = {
  blank,
  copy,
  addScaled,
  move: (weights, law) => {
    sound();
    for (const { tensor, moves } of weights)
      for (const { key, scale, keep } of moves)
        dispatch(moveShader(law, key.mask !== undefined, kindOf(tensor)), {
          buffers: [tensor, ...boundMask(key)],
          params: noiseParams(key, sizeOf(tensor), scale, keep),
          groups: noiseGroups(law, sizeOf(tensor)),
        });
  },
  sides: (weights, eps, law) => {
    sound();
    return weights.map(({ tensor, key }) => {
      const both = makeSides(tensor);
      dispatch(sidesShader(law, key.mask !== undefined, kindOf(tensor)), {
        buffers: [tensor, both.plus, both.minus, ...boundMask(key)],
        params: noiseParams(key, sizeOf(tensor), eps, 1),
        groups: noiseGroups(law, sizeOf(tensor)),
      });
      return both;
    });
  },
  fill: (tensor, write) => {
    const values = new Float32Array(sizeOf(tensor));
    write(values);
    writePieces(tensor, (into, from) => into.set(values.subarray(from, from + into.length)));
  },
  weight: (shape, readValues, kind) => {
    sound();
    const tensor = kind ? halfTensor(shape, kind) : blank(shape);
    return filled(tensor, () => writePieces(tensor, readValues));
  },
  refill: writePieces,
  read: readPieces,
};
