import * as tf from "@tensorflow/tfjs-core";
import { KitError } from "../error.ts";
import { narrow, widen, widenAll } from "./halves.ts";
import { type Distribution, type Move, type NoiseKey, wholeStretch } from "./noise/key.ts";
import { moveMany } from "./noise/sweep.ts";
import { type HalfKind, type Halves, isHalves, type Source } from "./source.ts";

/** A weight and its moves, one after the other. */
export interface WeightMoves {
  readonly tensor: tf.TensorInfo;
  readonly moves: readonly Move[];
}

/** Writes the values of a tensor from element `from` on into an array, as many as it has. */
export type ReadValues = (into: Float32Array, from: number) => void;

/** Elements of a piece: 1 MiB of float32, so that no weight need be held in this process as a whole. A multiple of every group of z. */
export const PIECE: number = 1 << 18;

/** Kept for the next weight: new ones would be memory that waits for the garbage collector. */
let piece: Float32Array | undefined;

/** Hands `size` values to `use` a piece at a time, with the element that a piece begins with; it is valid until `use` returns. */
export function eachPiece(
  size: number,
  readValues: ReadValues,
  use: (values: Float32Array, from: number) => void,
): void {
  piece ??= new Float32Array(PIECE);
  for (let from = 0; from < size; from += PIECE) {
    const values = piece.subarray(0, Math.min(PIECE, size - from));
    readValues(values, from);
    use(values, from);
  }
}

/** Both sides of a tensor: at theta + eps z, and at theta − eps z. */
export interface Both<T = tf.Tensor> {
  readonly plus: T;
  readonly minus: T;
}

/** A weight of theta, and what its z is made from. */
export interface KeyedWeight {
  readonly tensor: tf.TensorInfo;
  readonly key: NoiseKey;
}

/** How a backend changes float32 tensors in place: afterwards the same tensor has the new values, whoever holds it. */
export interface Storage {
  /** values = keep · values + scale · z for every move of every weight; no two may share values. The bits are the same on every backend. */
  readonly move: (weights: readonly WeightMoves[], law: Distribution) => void;
  /** to = to + scale · from in float32, the product rounded by itself: the bits are the same on every backend. */
  readonly addScaled: (to: tf.TensorInfo, from: tf.TensorInfo, scale: number) => void;
  /** Lets `write` fill all values. Where there is a `view`, it sees the present ones; elsewhere the content is unspecified. */
  readonly fill: (tensor: tf.TensorInfo, write: (values: Float32Array) => void) => void;
  /** Copies the values of one tensor into another of the same size. */
  readonly copy: (from: tf.TensorInfo, to: tf.TensorInfo) => void;
  /** Copies float32 values into a weight of 16 bits, rounded as after a move with the key; absent where this process sees the values. */
  readonly round?: (from: tf.TensorInfo, to: tf.TensorInfo, key: NoiseKey) => void;
  /** A new weight of these values; of a kind of 16 bits, each rounded to the nearest. Throws a KitError where the backend keeps no such kind. */
  readonly weight: (shape: readonly number[], readValues: ReadValues, kind?: HalfKind) => tf.Tensor;
  /** Gives a weight new values, rounded to the nearest where it is kept in 16 bits. */
  readonly refill: (tensor: tf.TensorInfo, readValues: ReadValues) => void;
  /** The values in float32, a piece at a time, each valid until the next; the pieces are as long as suits the backend. */
  readonly read: (tensor: tf.TensorInfo) => AsyncIterable<Float32Array>;
  /** Both sides theta ± eps z of weights, as new tensors; theta stays as it is. */
  readonly sides: (weights: readonly KeyedWeight[], eps: number, law: Distribution) => Both[];
  /** A float32 tensor of unspecified values, where that is faster than zeros. */
  readonly blank?: (shape: readonly number[]) => tf.Tensor;
  /** The values, read only, in place or widened; absent where this process cannot see them. */
  readonly view?: (tensor: tf.TensorInfo) => Float32Array;
  /** The values in place, which may be in 16 bits; present where `view` is. */
  readonly source?: (tensor: tf.TensorInfo) => Source;
}

/** What the tensors of a backend take, in bytes. */
export interface DeviceMemory {
  /** Of all tensors that are alive. */
  readonly now: () => number;
  /** The most since `resetPeak`, or since the backend was loaded. */
  readonly peak: () => number;
  readonly resetPeak: () => void;
}

/** A meter of bytes that are taken and, with a minus, given back. */
export function meterBytes(): DeviceMemory & { readonly count: (bytes: number) => void } {
  let [now, peak] = [0, 0];
  return {
    now: () => now,
    peak: () => peak,
    resetPeak: () => {
      peak = now;
    },
    count: (bytes) => {
      now += bytes;
      peak = Math.max(peak, now);
    },
  };
}

/** A backend of the kit. */
export interface Backend {
  /** What it runs on and how to get it, in a sentence. */
  readonly about: string;
  readonly storage: Storage;
  /** Loads it, registers it with TensorFlow.js and gives what it runs on here. Throws a KitError that says why it cannot. */
  readonly load: () => Promise<string>;
  /** The memory of the device that it has loaded; absent or undefined where tensors lie in this process's memory. */
  readonly memory?: () => DeviceMemory | undefined;
}

/** A new tensor whose values `fill` writes; where that throws, the tensor is freed. */
export function filled(tensor: tf.Tensor, fill: () => void): tf.Tensor {
  try {
    fill();
    return tensor;
  } catch (error) {
    tensor.dispose();
    throw error;
  }
}

/** What the storage of a backend whose values lie in this process's memory is made of. */
interface Memory {
  readonly source: (tensor: tf.TensorInfo) => Source;
  /** Called for every tensor written to. */
  readonly changed?: (tensor: tf.TensorInfo) => void;
  readonly blank?: (shape: readonly number[]) => tf.Tensor;
  /** A tensor whose values are kept in 16 bits; absent where there is none. */
  readonly halves?: (shape: readonly number[], kind: HalfKind) => tf.Tensor;
}

/** The storage of a backend whose values lie where `source` finds them. */
export function inMemory({ source, changed = () => {}, blank, halves }: Memory): Storage {
  const view = (tensor: tf.TensorInfo): Float32Array => {
    const values = source(tensor);
    return isHalves(values) ? widenAll(values) : values;
  };
  const fill: Storage["fill"] = (tensor, write) => {
    const [values, there] = [view(tensor), source(tensor)];
    write(values);
    if (isHalves(there)) narrow(values, there, 0);
    changed(tensor);
  };
  const refill: Storage["refill"] = (tensor, readValues) => {
    const into = source(tensor);
    if (isHalves(into)) eachPiece(into.bits.length, readValues, (values, from) => narrow(values, into, from));
    else readValues(into, 0);
    changed(tensor);
  };
  const make = (shape: readonly number[]): tf.Tensor => blank?.(shape) ?? tf.zeros([...shape]);
  return {
    source,
    view,
    fill,
    refill,
    ...(blank && { blank }),
    copy: (from, to) => fill(to, (values) => values.set(view(from))),
    addScaled: (to, from, scale) => {
      const [factor, other] = [Math.fround(scale), view(from)];
      fill(to, (values) => {
        for (let i = 0; i < values.length; i++) values[i] = values[i]! + Math.fround(factor * other[i]!);
      });
    },
    move: (weights, law) => {
      moveMany(weights.map(({ tensor, moves }) => wholeStretch(source(tensor), moves, law)));
      for (const { tensor } of weights) changed(tensor);
    },
    weight: (shape, readValues, kind) => {
      if (kind && !halves) throw noHalves(kind);
      const size = tf.util.sizeFromShape([...shape]);
      const tensor = kind ? halves!(shape, kind) : tf.tensor(new Float32Array(size), [...shape]);
      return filled(tensor, () => refill(tensor, readValues));
    },
    read: async function* (tensor) {
      const values = source(tensor);
      if (isHalves(values)) yield* widenPieces(values);
      else yield values;
    },
    sides: (weights, eps, law) => {
      const both = weights.map(({ tensor: { shape } }) => ({ plus: make(shape), minus: make(shape) }));
      moveMany(
        weights.map(({ tensor, key }, i) => {
          const whole = wholeStretch(source(tensor), [{ key, scale: eps, keep: 1 }], law);
          return { ...whole, sides: { plus: view(both[i]!.plus), minus: view(both[i]!.minus) } };
        }),
      );
      for (const { plus, minus } of both) for (const side of [plus, minus]) changed(side);
      return both;
    },
  };
}

function* widenPieces(values: Halves): Generator<Float32Array> {
  const piece = new Float32Array(Math.min(PIECE, values.bits.length));
  for (let from = 0; from < values.bits.length; from += PIECE) {
    const part = piece.subarray(0, Math.min(PIECE, values.bits.length - from));
    widen(values, from, part);
    yield part;
  }
}

/** The error of a backend that keeps no weights in 16 bits. */
export const noHalves = ({ format }: HalfKind): KitError =>
  new KitError(
    `Weights in ${format} were asked for, which the ${tf.getBackend()} backend does not keep: choose native, tensorflow or webgpu.`,
  );
