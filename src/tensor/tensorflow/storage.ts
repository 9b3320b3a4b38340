import * as tf from "@tensorflow/tfjs-core";
import type { Distribution, Move } from "../noise/key.ts";
import type { Rounding } from "../source.ts";
import { eachPiece, filled, type KeyedWeight, PIECE, type Storage, type WeightMoves } from "../storage.ts";
import { narrow, type RoundingDraw, widen } from "./halves.ts";
import { scalar, scaledNoise } from "./noise.ts";
import {
  type DType,
  download,
  free,
  freeing,
  lasting,
  op,
  replaceValue,
  toTensor,
  toValue,
  upload,
  type Value,
  within,
} from "./operations.ts";
import { isOnGpu, productType } from "./products.ts";
import { widenInputs } from "./stock.ts";

/** Elements that are changed together, a multiple of PIECE: so many that an operation's own price hardly counts on a GPU. */
export const elementsAtOnce = (onGpu: boolean): number => (onGpu ? 32 : 4) * PIECE;
const chunk = (): number => elementsAtOnce(isOnGpu());

/** Elements that are read together. */
const READ = 4 * PIECE;

/** By tensor the number of its value where that has a buffer of its own. */
const owned = new WeakMap<object, number>();
/** How what is written to weights in 16 bits is rounded. */
const roundings = new WeakMap<object, Rounding>();

/** A tensor's value, in a buffer of its own from here on: one that was made elsewhere may share its buffer, with an array of this process too. */
function ownValue(tensor: tf.TensorInfo): Value {
  const value = toValue(tensor);
  if (owned.get(tensor.dataId) === value.id) return value;
  freeing(() => replaceValue(tensor, op("DeepCopy", [value])));
  const copy = toValue(tensor);
  owned.set(tensor.dataId, copy.id);
  return copy;
}

const integers = (...values: number[]): Value => upload(Int32Array.from(values), [values.length], "int32");

const sizeOf = ({ shape }: { readonly shape: readonly number[] }): number => tf.util.sizeFromShape([...shape]);

/** Elements of a weight, from a multiple of `chunk` on. */
interface Part {
  readonly tensor: tf.TensorInfo;
  readonly from: number;
  readonly size: number;
}

/** The elements of a part as a vector, in the weight's own buffer. */
function cut({ tensor, from, size }: Part): Value {
  const vector = op("Reshape", [toValue(tensor), integers(-1)]);
  return size === sizeOf(tensor) ? vector : op("Slice", [vector, integers(from), integers(size)]);
}

/** Writes a vector to the place of a part, in the value's own buffer. */
function put(into: Value, { from, size }: Omit<Part, "tensor">, vector: Value): void {
  const isWhole = size === sizeOf(into);
  const row = isWhole ? size : commonDivisor(sizeOf(into), PIECE);
  const [rows, values] = [into, vector].map((value) => op("Reshape", [value, integers(-1, row)]));
  const places = countFrom(from / row, size / row, isWhole ? 1 : chunk() / row);
  op("InplaceUpdate", [rows!, places, values!]);
}

/** So many numbers from `first` on, out of the `most` that are counted once where the weights are. */
function countFrom(first: number, count: number, most: number): Value {
  const all = lasting(`count to ${most}`, () => uint32(Int32Array.from({ length: most }, (_, i) => i)));
  const [begin, end, step] = [0, count, 1].map((place) => integers(place));
  const counted = count === most ? all : op("StridedSlice", [all, begin!, end!, step!]);
  return op("Bitcast", [op("AddV2", [counted, uint32(Int32Array.of(first))])], { type: { type: "int32" } });
}

const uint32 = (values: Int32Array): Value =>
  op("Bitcast", [upload(values, [values.length], "int32")], { type: { type: "uint32" } });

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** The parts of a weight. */
function* partsOf<W extends { readonly tensor: tf.TensorInfo }>(weight: W): Generator<W & Part> {
  const size = sizeOf(weight.tensor);
  for (let from = 0; from < size; from += chunk()) yield { ...weight, from, size: Math.min(chunk(), size - from) };
}

/** The parts of weights, small ones together. */
function* batchesOf<W extends { readonly tensor: tf.TensorInfo }>(weights: readonly W[]): Generator<(W & Part)[]> {
  let batch: (W & Part)[] = [];
  let room = chunk();
  for (const weight of weights) {
    for (const part of partsOf(weight)) {
      if (part.size > room) {
        yield batch;
        [batch, room] = [[], chunk()];
      }
      batch.push(part);
      room -= part.size;
    }
  }
  if (batch.length > 0) yield batch;
}

/** A float32 vector as a weight keeps it. */
const rounded = (vector: Value, dtype: DType, draw?: RoundingDraw): Value =>
  dtype === "float16" || dtype === "bfloat16" ? narrow(vector, dtype, draw) : vector;

/** keep · theta + scale · z of parts, each result rounded as the weight is. */
function moveParts(
  parts: readonly (Part & { readonly theta: Value; readonly move: Move })[],
  law: Distribution,
): Value[] {
  const noise = scaledNoise(
    parts.map(({ from, size, move }) => ({ ...move, from, size })),
    law,
  );
  return parts.map(({ tensor: { dataId }, theta, from, move: { key, keep } }, i) => {
    const values = keep === 1 ? widen(theta) : op("Mul", [widen(theta), scalar(keep)]);
    const draw = roundings.get(dataId) === "stochastic" ? { key, from } : undefined;
    return rounded(op("AddV2", [values, noise[i]!]), theta.dtype, draw);
  });
}

/** Takes a batch through all of its moves. */
function moveBatch(batch: readonly (WeightMoves & Part)[], law: Distribution): void {
  const values = batch.map(cut);
  for (let round = 0; batch.some(({ moves }) => round < moves.length); round++) {
    const places = [...batch.keys()].filter((i) => round < batch[i]!.moves.length);
    const moved = within(() =>
      moveParts(
        places.map((i) => ({ ...batch[i]!, theta: values[i]!, move: batch[i]!.moves[round]! })),
        law,
      ),
    );
    places.forEach((place, i) => {
      free(values[place]!);
      values[place] = moved[i]!;
    });
  }
  for (const [i, part] of batch.entries()) put(toValue(part.tensor), part, values[i]!);
}

function blank(shape: readonly number[], dtype: DType): tf.TensorInfo {
  return toTensor(within(() => op("Empty", [integers(...shape)], { dtype: { type: dtype } })));
}

/** Keeps a part of a side: in a tensor that has the earlier ones, or in a new one. */
function keepPart(part: Part, vector: Value, side?: tf.TensorInfo): tf.TensorInfo {
  const { shape } = part.tensor;
  if (part.size === sizeOf(part.tensor)) return toTensor(op("Reshape", [vector, integers(...shape)]));
  const into = side ?? blank(shape, vector.dtype);
  put(toValue(into), part, vector);
  return into;
}

const asTensor = (info: tf.TensorInfo): tf.Tensor => tf.engine().makeTensorFromTensorInfo(info);

/** Weights in TensorFlow's own memory, a GPU's where there is one: z is made there, and no weight passes through this process in a step. */
export const tensorflowStorage: Storage = {
  move: (weights, law) => {
    for (const { tensor } of weights) ownValue(tensor);
    for (const batch of batchesOf(weights)) freeing(() => moveBatch(batch, law));
  },
  addScaled: (to, from, scale) => {
    const target = ownValue(to);
    for (const part of partsOf({ tensor: to }))
      freeing(() => {
        const step = op("Mul", [widen(cut({ ...part, tensor: from })), scalar(scale)]);
        put(target, part, rounded(op("AddV2", [widen(cut(part)), step]), target.dtype));
      });
  },
  fill: (tensor, write) => {
    const values = new Float32Array(sizeOf(tensor));
    write(values);
    tensorflowStorage.refill(tensor, (into, from) => into.set(values.subarray(from, from + into.length)));
  },
  copy: (from, to) => {
    const target = ownValue(to);
    for (const part of partsOf({ tensor: from }))
      freeing(() => {
        const values = cut(part);
        put(target, part, values.dtype === target.dtype ? values : rounded(widen(values), target.dtype));
      });
  },
  weight: (shape, readValues, kind) => {
    if (kind) widenInputs(tf.backend());
    const info = blank(shape, kind?.format ?? "float32");
    owned.set(info.dataId, toValue(info).id);
    if (kind) roundings.set(info.dataId, kind.rounding);
    const tensor = asTensor(info);
    return filled(tensor, () => tensorflowStorage.refill(tensor, readValues));
  },
  refill: (tensor, readValues) => {
    const into = ownValue(tensor);
    eachPiece(sizeOf(tensor), readValues, (values, from) =>
      freeing(() => {
        const size = values.length;
        put(into, { from, size }, rounded(upload(values, [size], "float32"), into.dtype));
      }),
    );
  },
  read: async function* (tensor) {
    for (let from = 0; from < sizeOf(tensor); from += READ) yield readPart(tensor, from);
  },
  sides: (weights, eps, law) => {
    const sides = weights.map((): { plus?: tf.TensorInfo; minus?: tf.TensorInfo } => ({}));
    const numbered = weights.map((weight, i) => ({ ...weight, into: sides[i]! }));
    for (const batch of batchesOf(numbered)) freeing(() => formSides(batch, eps, law));
    return sides.map(({ plus, minus }) => ({ plus: asTensor(plus!), minus: asTensor(minus!) }));
  },
  blank: (shape) => asTensor(blank(shape, "float32")),
};

function readPart(tensor: tf.TensorInfo, from: number): Float32Array {
  let values: Float32Array;
  freeing(() => {
    const size = Math.min(READ, sizeOf(tensor) - from);
    values = download(widen(cut({ tensor, from, size })));
  });
  return values!;
}

/** Forms both sides of a batch. */
function formSides(
  batch: readonly (KeyedWeight & Part & { readonly into: { plus?: tf.TensorInfo; minus?: tf.TensorInfo } })[],
  eps: number,
  law: Distribution,
): void {
  const noise = scaledNoise(
    batch.map(({ key, from, size }) => ({ key, from, size, scale: eps })),
    law,
  );
  batch.forEach((part, i) => {
    const theta = widen(cut(part));
    const dtype = productType(toValue(part.tensor));
    const { into } = part;
    into.plus = keepPart(part, rounded(op("AddV2", [theta, noise[i]!]), dtype), into.plus);
    into.minus = keepPart(part, rounded(op("Sub", [theta, noise[i]!]), dtype), into.minus);
  });
}
