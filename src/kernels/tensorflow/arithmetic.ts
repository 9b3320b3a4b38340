import { type DType, free, lasting, op, upload, type Value } from "../../tensor/tensorflow/operations.ts";

// TensorFlow's operations that kernels are made of. Those of two values broadcast as NumPy's do.

/** Bytes of what a kernel holds beside its inputs and result, about: what would be larger is made a block of rows at a time. */
export const SCRATCH_BYTES: number = 64 * 2 ** 20;

/** The values in another kind of elements; the very same value where they are in it. */
export function cast(x: Value, to: DType): Value {
  if (x.dtype === to) return x;
  return op("Cast", [x], { SrcT: { type: x.dtype }, DstT: { type: to }, Truncate: false });
}

/** An operation of values of one kind that has no other attribute. */
export const elementwise = (name: string, ...inputs: Value[]): Value =>
  op(name, inputs, { T: { type: inputs[0]!.dtype } });

/** a + b of one shape, faster than with broadcasting. */
export const addSame = (a: Value, b: Value): Value => op("AddN", [a, b], { T: { type: a.dtype }, N: 2 });

/** A single float32 number, which lasts: kernels use few different ones. */
export const scalar = (value: number): Value =>
  lasting(`number ${value}`, () => upload(Float32Array.of(value), [], "float32"));

const whole = (...values: number[]): Value => upload(Int32Array.from(values), [values.length], "int32");

/** The same values in another shape, without a copy. */
export const reshape = (x: Value, ...shape: number[]): Value =>
  op("Reshape", [x, whole(...shape)], { T: { type: x.dtype }, Tshape: { type: "int32" } });

/** The values with the dimensions in another order. */
export const transpose = (x: Value, ...order: number[]): Value =>
  op("Transpose", [x, whole(...order)], { T: { type: x.dtype }, Tperm: { type: "int32" } });

/** What lies from `from` up to `to` along one dimension; along the first without a copy. */
export function cut(x: Value, [from, to]: readonly [number, number], dimension = 0): Value {
  const begin = x.shape.map((_, i) => (i === dimension ? from : 0));
  const size = x.shape.map((length, i) => (i === dimension ? to - from : length));
  return op("Slice", [x, whole(...begin), whole(...size)], { T: { type: x.dtype }, Index: { type: "int32" } });
}

/** Values one after the other along a dimension; a single one is given back as it is. */
export function join(parts: readonly Value[], dimension = 0): Value {
  if (parts.length === 1) return parts[0]!;
  const axis = upload(Int32Array.of(dimension), [], "int32");
  return op("ConcatV2", [...parts, axis], { T: { type: parts[0]!.dtype }, Tidx: { type: "int32" }, N: parts.length });
}

/** The mean or the like of the last dimension, which stays with length 1. */
export const reduceLast = (name: string, x: Value): Value =>
  op(name, [x, whole(-1)], { T: { type: x.dtype }, Tidx: { type: "int32" }, keep_dims: true });

/**
 * Products of matrices [..., m, k] and [..., k, n], or [..., n, k] where the second is turned. By BatchMatMul even where there is one of each:
 * with a second one that is turned, MatMul takes up to twice as long on a processor.
 */
export const multiplyMatrices = (a: Value, b: Value, turned: boolean): Value =>
  op("BatchMatMulV2", [a, b], { T: { type: a.dtype }, adj_x: false, adj_y: turned });

/** Rows of a table, or elements of a vector. */
export const gather = (table: Value, ids: Value): Value =>
  op("GatherV2", [table, ids, upload(Int32Array.of(0), [], "int32")], {
    Tparams: { type: table.dtype },
    Tindices: { type: "int32" },
    Taxis: { type: "int32" },
    batch_dims: 0,
  });

/** What is made of a value that nothing else needs, which is freed. */
export function consume(x: Value, make: (x: Value) => Value): Value {
  const y = make(x);
  if (y.id !== x.id) free(x);
  return y;
}
