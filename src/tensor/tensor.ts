// What the kit's published declarations say of TensorFlow.js's values (bin/build.js). TensorFlow.js's own declarations compile only with a
// browser's, and clash with current ones of WebGPU: a project that checks its libraries could not import the kit. Its values have these types.

/** What holds a tensor's elements, by their kind. */
export interface DataTypeMap {
  float32: Float32Array;
  int32: Int32Array;
  bool: Uint8Array;
  complex64: Float32Array;
  string: string[];
}

/** The kinds of element that a tensor may have. */
export type DataType = keyof DataTypeMap;

type NumericDataType = Exclude<DataType, "string" | "complex64">;

/** A tensor's name, shape and kind. */
export interface TensorInfo {
  dataId: object;
  shape: number[];
  dtype: DataType;
}

/** A tensor of TensorFlow.js. No interface, so that TensorFlow.js's operations take it: to them it is a value like a tensor. */
export type Tensor = {
  readonly id: number;
  dataId: object;
  readonly shape: number[];
  readonly size: number;
  readonly dtype: DataType;
  readonly strides: number[];
  readonly rank: number;
  readonly isDisposed: boolean;
  /** The elements in row order. */
  data<D extends DataType = NumericDataType>(): Promise<DataTypeMap[D]>;
  /** The elements in row order; not on the webgpu backend. */
  dataSync<D extends DataType = NumericDataType>(): DataTypeMap[D];
  /** The elements in nested arrays. */
  array(): Promise<unknown>;
  /** The elements in nested arrays; not on the webgpu backend. */
  arraySync(): unknown;
  /** Frees it. */
  dispose(): void;
};

/** A tensor with no axis: one number. */
export type Scalar = Tensor & { readonly shape: []; array(): Promise<number>; arraySync(): number };

/** A tensor with one axis. */
export type Tensor1D = Tensor & { readonly shape: [number]; array(): Promise<number[]>; arraySync(): number[] };

/** A tensor with two axes. */
export type Tensor2D = Tensor & {
  readonly shape: [number, number];
  array(): Promise<number[][]>;
  arraySync(): number[][];
};
