import * as tf from "@tensorflow/tfjs-core";
import type { HalfFormat } from "../source.ts";

/** What is used of TensorFlow.js's Node backend beneath its public face; the version is pinned. */
export interface NodeBackend {
  readonly tensorMap: { get(dataId: object): Entry; set(dataId: object, entry: Entry): void };
  readonly binding: Binding;
  readonly isUsingGpuDevice: boolean;
}

/** A tensor: its values while TensorFlow does not have them yet, and from then on its number there. */
interface Entry {
  shape: readonly number[];
  dtype: number;
  values: ArrayBufferView | null;
  id: number;
  refCount: number;
}

/** The addon: TensorFlow's eager C interface. */
export interface Binding {
  readonly [constant: `TF_ATTR_${string}`]: number;
  readonly TF_Version: string;
  createTensor(shape: readonly number[], dtype: number, values: ArrayBufferView): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): ArrayBufferView;
  executeOp(
    name: string,
    attributes: readonly { name: string; type: number; value: unknown }[],
    inputs: readonly number[],
    outputs: number,
  ): { id: number; dtype: number; shape: number[] }[];
}

/** TensorFlow's numbers for kinds of elements (types.proto). */
export const DTYPE = {
  float32: 1,
  int32: 3,
  uint8: 4,
  bool: 10,
  bfloat16: 14,
  uint16: 17,
  float16: 19,
  uint32: 22,
  uint64: 23,
} as const;

/** A kind of element. */
export type DType = keyof typeof DTYPE;

const NAMES = new Map<number, DType>(Object.entries(DTYPE).map(([name, number]) => [number, name as DType]));

/** Bytes of an element. */
export const BYTES: Readonly<Record<DType, number>> = {
  float32: 4,
  int32: 4,
  uint8: 1,
  bool: 1,
  bfloat16: 2,
  uint16: 2,
  float16: 2,
  uint32: 4,
  uint64: 8,
};

/** A tensor of TensorFlow's, by its number. Unlike TensorFlow.js's, it may have 16 bits an element. */
export interface Value {
  readonly id: number;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** An attribute of an operation: a kind of element, whole numbers, a truth, a text, or a float as { float }. */
export type Attribute =
  | { readonly type: DType }
  | number
  | readonly number[]
  | boolean
  | string
  | { readonly float: number };

const node = (): NodeBackend => tf.backend() as unknown as NodeBackend;

const NONE = -1;

/** What `within` is to free: the values made since the innermost one began. */
let made: number[] | undefined;

/** Runs an operation of TensorFlow's at once and gives its results. They are freed by `within`, which there must be around it. */
export function run(
  name: string,
  inputs: readonly Value[],
  attributes: Readonly<Record<string, Attribute>> = {},
  outputs = 1,
): Value[] {
  const encoded = Object.entries(attributes).map(([key, value]) => ({ name: key, ...encode(value) }));
  const ids = inputs.map(({ id }) => id);
  return node()
    .binding.executeOp(name, encoded, ids, outputs)
    .map(({ id, dtype, shape }) => note({ id, dtype: NAMES.get(dtype)!, shape }));
}

/** Runs an operation that has one result. */
export function op(name: string, inputs: readonly Value[], attributes?: Readonly<Record<string, Attribute>>): Value {
  return run(name, inputs, attributes)[0]!;
}

/** A new value of this process's numbers. */
export function upload(values: Float32Array | Int32Array | Uint8Array, shape: readonly number[], dtype: DType): Value {
  return note({ id: node().binding.createTensor(shape, DTYPE[dtype], values), dtype, shape });
}

/** The numbers of a float32 value, copied into this process. */
export function download({ id }: Value): Float32Array {
  return node().binding.tensorDataSync(id) as Float32Array;
}

const constants = new WeakMap<NodeBackend, Map<string, Value>>();

/** A value that lasts as long as the backend, made when it is first asked for under its name. */
export function lasting(name: string, make: () => Value): Value {
  const known = constants.get(node()) ?? new Map<string, Value>();
  constants.set(node(), known);
  const value = known.get(name) ?? keep(within(make));
  known.set(name, value);
  return value;
}

function note(value: Value): Value {
  if (!made) throw new Error("A value of TensorFlow's is made outside of within.");
  made.push(value.id);
  return value;
}

/** Runs `make` and frees all values that it made but those that it gives. */
export function within<T extends Value | readonly Value[] | undefined>(make: () => T): T {
  const outer = made;
  const own: number[] = [];
  made = own;
  let kept: readonly number[] = [];
  try {
    const result = make();
    kept = ((result === undefined ? [] : Array.isArray(result) ? result : [result]) as readonly Value[]).map(
      ({ id }) => id,
    );
    return result;
  } finally {
    made = outer;
    for (const id of own) if (!kept.includes(id)) node().binding.deleteTensor(id);
    outer?.push(...kept.filter((id) => own.includes(id)));
  }
}

/** Does some work and frees all values that it made. */
export function freeing(work: () => void): void {
  within(() => {
    work();
    return undefined;
  });
}

/** Frees a value of the innermost `within` before that does. */
export function free(value: Value): void {
  release(keep(value));
}

/** Takes a value out of the innermost `within`: from here on it is freed by whoever calls `release`. */
export function keep(value: Value): Value {
  const at = made?.indexOf(value.id) ?? NONE;
  if (at === NONE) throw new Error("A value of TensorFlow's is taken out of a within that did not make it.");
  made!.splice(at, 1);
  return value;
}

/** Frees a value that was kept. */
export function release({ id }: Value): void {
  node().binding.deleteTensor(id);
}

function encode(value: Attribute): { type: number; value: unknown } {
  const { binding } = node();
  if (typeof value === "number" || Array.isArray(value)) return { type: binding.TF_ATTR_INT!, value };
  if (typeof value === "boolean") return { type: binding.TF_ATTR_BOOL!, value };
  if (typeof value === "string") return { type: binding.TF_ATTR_STRING!, value };
  if ("float" in value) return { type: binding.TF_ATTR_FLOAT!, value: value.float };
  return { type: binding.TF_ATTR_TYPE!, value: DTYPE[(value as { type: DType }).type] };
}

/** TensorFlow's value of a tensor of TensorFlow.js, which keeps it: values that wait in this process go there. */
export function toValue({ dataId, shape }: tf.TensorInfo): Value {
  const entry = node().tensorMap.get(dataId);
  if (entry.values !== null) {
    entry.id = node().binding.createTensor(entry.shape, entry.dtype, entry.values);
    entry.values = null;
  }
  return { id: entry.id, dtype: NAMES.get(entry.dtype)!, shape };
}

/** A tensor of TensorFlow.js that owns a value from here on: float32 to TensorFlow.js, whatever it is kept in. It must come out of `within`. */
export function toTensor({ id, dtype, shape }: Value): tf.TensorInfo {
  const at = made?.indexOf(id) ?? NONE;
  if (at !== NONE) made!.splice(at, 1);
  const dataId = {};
  node().tensorMap.set(dataId, { shape, dtype: DTYPE[dtype], values: null, id, refCount: 1 });
  return { dataId, shape: [...shape], dtype: dtype === "int32" || dtype === "bool" ? dtype : "float32" };
}

/** Gives a tensor another value of the same shape, which it owns from here on; the old one is freed. */
export function replaceValue({ dataId }: tf.TensorInfo, { id, dtype }: Value): void {
  const at = made?.indexOf(id) ?? NONE;
  if (at !== NONE) made!.splice(at, 1);
  const entry = node().tensorMap.get(dataId);
  if (entry.values === null) node().binding.deleteTensor(entry.id);
  entry.values = null;
  entry.id = id;
  entry.dtype = DTYPE[dtype];
}

/** The format of a tensor that is kept in 16 bits. */
export function halfFormat({ dtype }: Value): HalfFormat | undefined {
  return dtype === "float16" || dtype === "bfloat16" ? dtype : undefined;
}

/** Inputs and attributes of a kernel, as TensorFlow.js hands them over. */
export interface KernelCall {
  readonly inputs: Readonly<Record<string, Value>>;
  readonly attrs: Readonly<Record<string, unknown>>;
}

/** Registers the kernel of one of the kit's operations on TensorFlow. What `make` makes on its way is freed. */
export function tensorflowKernel(kernelName: string, make: (call: KernelCall) => Value): void {
  tf.registerKernel({
    kernelName,
    backendName: "tensorflow",
    kernelFunc: ({ inputs, attrs }) => {
      const values = Object.entries(inputs).map(([name, tensor]) => [name, toValue(tensor as tf.TensorInfo)]);
      return toTensor(within(() => make({ inputs: Object.fromEntries(values), attrs: attrs as KernelCall["attrs"] })));
    },
  });
}
