import * as tf from "@tensorflow/tfjs";
import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import type { Graph } from "./onnx.ts";
import { give, isPooled, take } from "./pool.ts";
import { runGraph, type View } from "./session.ts";

export const NATIVE = "native";

/** TensorFlow.js's cpu backend with results in reused buffers; its heavy kernels are registered beside it and run by ONNX Runtime. */
class NativeBackend extends MathBackendCPU {
  constructor() {
    super();
    (this as unknown as { firstUse: boolean }).firstUse = false; // no banner
  }

  override disposeData(id: object, force = false): boolean {
    const values = this.data.has(id) ? this.data.get(id).values : undefined;
    const gone = super.disposeData(id, force);
    if (gone && ArrayBuffer.isView(values)) give(values);
    return gone;
  }

  override readSync(id: object): tf.backend_util.BackendValues {
    const values = super.readSync(id);
    return ArrayBuffer.isView(values) && isPooled(values) ? (values as Float32Array).slice() : values;
  }
}

/** Inputs and attributes of a kernel, as TensorFlow.js hands them over. */
export interface KernelCall {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: Readonly<Record<string, unknown>>;
}

/** The values of a tensor where they are, without a copy: writing to them changes the tensor. */
export function viewOf(tensor: tf.TensorInfo): View {
  const { values } = (tf.backend() as MathBackendCPU).data.get(tensor.dataId);
  return { values: values as unknown as Float32Array | Int32Array, shape: tensor.shape };
}

/** A new float32 tensor in a reused buffer, its content unspecified. */
export function emptyTensor(shape: number[]): tf.TensorInfo {
  return (tf.backend() as MathBackendCPU).makeTensorInfo(shape, "float32", take(tf.util.sizeFromShape(shape)));
}

/** Runs a graph that has one output `y` of the given shape, its inputs going by name. */
export function runKernel(
  name: string,
  build: () => Graph,
  inputs: Readonly<Record<string, tf.TensorInfo>>,
  shape: number[],
): tf.TensorInfo {
  const output = emptyTensor(shape);
  const feeds = Object.fromEntries(Object.entries(inputs).map(([key, tensor]) => [key, viewOf(tensor)]));
  runGraph(name, build, feeds, { y: viewOf(output) });
  return output;
}

/** Registers the native kernel of an operation, in place of any that the cpu backend has. */
export function nativeKernel(kernelName: string, run: (call: KernelCall) => tf.TensorInfo): void {
  registerNativeBackend();
  if (tf.getKernel(kernelName, NATIVE)) tf.unregisterKernel(kernelName, NATIVE);
  tf.registerKernel({ kernelName, backendName: NATIVE, kernelFunc: (call) => run(call as unknown as KernelCall) });
}

/** Registers the backend under the name "native", with the cpu backend's kernels; does nothing the second time. */
export function registerNativeBackend(): void {
  if (tf.findBackendFactory(NATIVE)) return;
  tf.registerBackend(NATIVE, () => new NativeBackend(), 0);
  tf.copyRegisteredKernels("cpu", NATIVE);
}
