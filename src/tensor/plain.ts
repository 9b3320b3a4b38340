import { cpus } from "node:os";
import * as tf from "@tensorflow/tfjs-core";
import { viewTensor } from "./native/backend.ts";
import { type Backend, inMemory } from "./storage.ts";

/** The processor's name, for people. */
export const processor = (): string => cpus()[0]?.model.trim() || process.arch;

/** TensorFlow.js's own backend in plain JavaScript: a hundred times slower than native, for checks. */
export const cpu: Backend = {
  about: "plain TensorFlow.js, slow, for checks; always there",
  storage: inMemory({ source: (tensor) => viewTensor(tensor).values as Float32Array }),
  load: async () => processor(),
};

/** What is used of TensorFlow.js's WebAssembly backend beneath its public face; the version is pinned. */
interface Heap {
  readonly wasm: { readonly tfjs: HeapCalls };
  readonly dataIdMap: { get(dataId: object): { readonly id: number; readonly memoryOffset: number } };
  typedArrayFromHeap(tensor: tf.TensorInfo): Float32Array | Int32Array;
  makeOutput(shape: readonly number[], dtype: tf.DataType): tf.TensorInfo;
}

interface HeapCalls {
  disposeData(id: number): void;
  registerTensor(id: number, elements: number, memoryOffset: number): void;
}

const heap = (): Heap => tf.backend() as unknown as Heap;
const floats = (tensor: tf.TensorInfo): Float32Array => heap().typedArrayFromHeap(tensor) as Float32Array;

/** Its matrix products keep a packed copy of a weight that they saw; signing the tensor off and on again drops it, the values stay. */
function forgetPacked(tensor: tf.TensorInfo): void {
  const { wasm, dataIdMap } = heap();
  const { id, memoryOffset } = dataIdMap.get(tensor.dataId);
  wasm.tfjs.disposeData(id);
  wasm.tfjs.registerTensor(id, tf.util.sizeFromShape(tensor.shape), memoryOffset);
}

/** Sums of rows by segment, which the backend lacks: the gradient of a table's lookup wants them. */
function unsortedSegmentSum(x: tf.TensorInfo, segmentIds: tf.TensorInfo, numSegments: number): tf.TensorInfo {
  const width = tf.util.sizeFromShape(x.shape.slice(1));
  const sums = heap().makeOutput([numSegments, ...x.shape.slice(1)], x.dtype);
  const [rows, ids, values] = [x, segmentIds, sums].map((tensor) => heap().typedArrayFromHeap(tensor));
  values!.fill(0);
  ids!.forEach((id, row) => {
    for (let j = 0; j < width; j++) values![id * width + j]! += rows![row * width + j]!;
  });
  return sums;
}

function registerMissingKernels(): void {
  const kernelName = "UnsortedSegmentSum";
  if (tf.getKernel(kernelName, "wasm")) return;
  tf.registerKernel({
    kernelName,
    backendName: "wasm",
    kernelFunc: ({ inputs, attrs }) =>
      unsortedSegmentSum(inputs.x!, inputs.segmentIds!, (attrs as unknown as { numSegments: number }).numSegments),
  });
}

/** TensorFlow.js's WebAssembly backend: one thread, 4 GiB in all, a fifth of native's speed at best. */
export const wasm: Backend = {
  about: "TensorFlow.js in WebAssembly, one thread and 4 GiB, for checks; comes with npm install",
  storage: inMemory({ source: floats, changed: forgetPacked }),
  load: async () => {
    await import("@tensorflow/tfjs-backend-wasm");
    registerMissingKernels();
    return `${processor()}, one thread`;
  },
};
