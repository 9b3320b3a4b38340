import type * as tf from "@tensorflow/tfjs-core";
import { narrow, widenAll } from "./halves.ts";
import type { Distribution, Move } from "./noise/key.ts";
import { wholeStretch } from "./noise/stretch.ts";
import { moveMany } from "./noise/sweep.ts";
import { isHalves, type Source } from "./source.ts";

/** A weight and its moves, one after the other. */
export interface WeightMoves {
  readonly tensor: tf.TensorInfo;
  readonly moves: readonly Move[];
}

/** How a backend changes float32 tensors in place: afterwards the same tensor has the new values, whoever holds it. */
export interface Storage {
  /** values = keep · values + scale · z for every move of every weight; no two may share values. The bits are the same on every backend. */
  readonly move: (weights: readonly WeightMoves[], law: Distribution) => void;
  /** Lets `write` fill all values. Where there is a `view`, it sees the present ones; elsewhere the content is unspecified. */
  readonly fill: (tensor: tf.TensorInfo, write: (values: Float32Array) => void) => void;
  /** Copies the values of one tensor into another of the same size. */
  readonly copy: (from: tf.TensorInfo, to: tf.TensorInfo) => void;
  /** A float32 tensor of unspecified values, where that is faster than zeros. */
  readonly blank?: (shape: readonly number[]) => tf.Tensor;
  /** The values, read only, in place or widened; absent where this process cannot see them. */
  readonly view?: (tensor: tf.TensorInfo) => Float32Array;
  /** The values in place, which may be in 16 bits; present where `view` is. */
  readonly source?: (tensor: tf.TensorInfo) => Source;
}

/** A backend of the kit. */
export interface Backend {
  /** What it runs on and how to get it, in a sentence. */
  readonly about: string;
  readonly storage: Storage;
  /** Loads it, registers it with TensorFlow.js and gives what it runs on here. Throws a KitError that says why it cannot. */
  readonly load: () => Promise<string>;
}

/** The storage of a backend whose values lie where `source` finds them; `changed` is called for every tensor written to. */
export function inMemory(
  source: (tensor: tf.TensorInfo) => Source,
  changed: (tensor: tf.TensorInfo) => void = () => {},
): Storage {
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
  return {
    source,
    view,
    fill,
    copy: (from, to) => fill(to, (values) => values.set(view(from))),
    move: (weights, law) => {
      moveMany(weights.map(({ tensor, moves }) => wholeStretch(source(tensor), moves, law)));
      for (const { tensor } of weights) changed(tensor);
    },
  };
}
