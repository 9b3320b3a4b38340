import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { widen, widenAll } from "../halves.ts";
import { type Halves, isHalves, type Source } from "../source.ts";
import { processorLevel } from "../x86/library.ts";
import type { Graph } from "./onnx.ts";
import { give, isBorrowed, take } from "./pool.ts";
import { runGraph, type View } from "./session.ts";

/** The name under which TensorFlow.js knows the backend. */
export const NATIVE = "native";

type Values = tf.backend_util.BackendValues;

/** TensorFlow.js's cpu backend with results in reused buffers; its heavy kernels are registered beside it and run by ONNX Runtime. */
class NativeBackend extends MathBackendCPU {
  /** Slices look into the buffer of what they are cut from, which may be used again before they are gone: those are copied. */
  override write(values: Values, shape: number[], dtype: tf.DataType): object {
    const lasting = ArrayBuffer.isView(values) && isBorrowed(values) ? (values as Float32Array).slice() : values;
    return super.write(lasting, shape, dtype as Parameters<MathBackendCPU["write"]>[2]);
  }

  override disposeData(id: object, force = false): boolean {
    const values = this.data.has(id) ? this.data.get(id).values : undefined;
    const gone = super.disposeData(id, force);
    if (gone && ArrayBuffer.isView(values)) give(values);
    return gone;
  }

  /** A copy: what was read stays as it was, whatever becomes of the tensor. */
  override readSync(id: object): Values {
    const kept = halves.get(this.data.get(id).values as unknown as ArrayBufferView);
    if (kept) return widenAll(kept);
    const values = super.readSync(id);
    return ArrayBuffer.isView(values) ? (values as Float32Array).slice() : values;
  }
}

/** Inputs and attributes of a kernel, as TensorFlow.js hands them over. */
export interface KernelCall {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: Readonly<Record<string, unknown>>;
}

/** The values of a tensor where they are, without a copy: writing to them changes the tensor. Those of 16 bits are widened into a copy. */
export function viewTensor(tensor: tf.TensorInfo): View {
  const source = findSource(tensor);
  return { values: isHalves(source) ? widenAll(source) : source, shape: tensor.shape };
}

/** The values of a float32 tensor where they are, which may be in 16 bits. */
export function findSource(tensor: tf.TensorInfo): Source {
  const { values } = (tf.backend() as MathBackendCPU).data.get(tensor.dataId);
  return halves.get(values as unknown as Uint16Array) ?? (values as unknown as Float32Array);
}

/** Lets `use` see a float32 tensor's values; those of 16 bits are widened into a reused buffer for that time. */
export function withView<Result>(tensor: tf.TensorInfo, use: (view: View) => Result): Result {
  const source = findSource(tensor);
  if (!isHalves(source)) return use({ values: source, shape: tensor.shape });
  const values = take(source.bits.length);
  try {
    widen(source, 0, values);
    return use({ values, shape: tensor.shape });
  } finally {
    give(values);
  }
}

/** What arrays of 16 bits hold, for those that are a tensor's values. */
const halves = new WeakMap<ArrayBufferView, Halves>();

/** A float32 tensor whose values are kept in 16 bits. */
export function halfTensor(shape: readonly number[], values: Halves): tf.Tensor {
  halves.set(values.bits, values);
  const bits = values.bits as unknown as Values;
  const info = (tf.backend() as MathBackendCPU).makeTensorInfo([...shape], "float32", bits as never);
  return tf.engine().makeTensorFromTensorInfo(info);
}

/** A new float32 tensor in a reused buffer, its values written by `fill`; nothing is left behind where that throws. */
export function filledTensor(shape: number[], fill: (y: View) => void): tf.TensorInfo {
  const values = take(tf.util.sizeFromShape(shape));
  try {
    fill({ values, shape });
  } catch (error) {
    give(values);
    throw error;
  }
  return (tf.backend() as MathBackendCPU).makeTensorInfo(shape, "float32", values);
}

/** Runs a graph that has one output `y` of the given shape, its inputs going by name. */
export function runKernel(
  name: string,
  build: () => Graph,
  inputs: Readonly<Record<string, tf.TensorInfo>>,
  shape: number[],
): tf.TensorInfo {
  const feeds = Object.fromEntries(Object.entries(inputs).map(([key, tensor]) => [key, viewTensor(tensor)]));
  return filledTensor(shape, (y) => runGraph(name, build, feeds, { y }));
}

/** Whether the kit's own library computes on this processor; ONNX Runtime does elsewhere. */
export const hasLibrary = (): boolean => processorLevel() !== "none";

type ByName<T> = Readonly<Record<string, T>>;

/** A new tensor of a shape, written by `work` of the kit's own library from the values of float32 inputs. */
export function runInLibrary(
  inputs: ByName<tf.TensorInfo>,
  shape: number[],
  work: (values: ByName<Float32Array>, y: Float32Array) => void,
): tf.TensorInfo {
  const values = Object.entries(inputs).map(([key, tensor]) => [key, viewTensor(tensor).values as Float32Array]);
  return filledTensor(shape, (y) => work(Object.fromEntries(values), y.values as Float32Array));
}

/** Registers the native kernel of an operation, in place of any that the cpu backend has. */
export function nativeKernel(kernelName: string, run: (call: KernelCall) => tf.TensorInfo): void {
  registerNativeBackend();
  if (tf.getKernel(kernelName, NATIVE)) tf.unregisterKernel(kernelName, NATIVE);
  tf.registerKernel({ kernelName, backendName: NATIVE, kernelFunc: (call) => run(call as unknown as KernelCall) });
}

/** Runs the cpu backend's kernel where ours does not apply: integers, say, or empty tensors. */
export function runOnCpu(kernelName: string, call: KernelCall): tf.TensorInfo {
  const { kernelFunc } = tf.getKernel(kernelName, "cpu");
  return kernelFunc({ ...call, backend: tf.backend() } as unknown as Parameters<typeof kernelFunc>[0]) as tf.TensorInfo;
}

/** Whether tensors are of float32, and none is empty. */
export const areFloats = (...tensors: tf.TensorInfo[]): boolean =>
  tensors.every((t) => t.dtype === "float32" && !t.shape.includes(0));

/** Keeps TensorFlow.js's cpu backend, or ours on top of it, from printing its advice to install another. */
export function silence(backend: object): void {
  if ("firstUse" in backend) backend.firstUse = false;
}

/** Registers the backend under the name "native", with the cpu backend's kernels; does nothing the second time. */
export function registerNativeBackend(): void {
  if (tf.findBackendFactory(NATIVE)) return;
  tf.registerBackend(NATIVE, () => new NativeBackend(), 0);
  tf.copyRegisteredKernels("cpu", NATIVE);
}
