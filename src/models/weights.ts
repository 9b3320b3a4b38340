import * as tf from "@tensorflow/tfjs";
import { KitError } from "../error.ts";
import { narrow } from "../tensor/halves.ts";
import { halfTensor, NATIVE } from "../tensor/native/backend.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { HalfFormat, Halves, Rounding } from "../tensor/source.ts";

/** What weights are kept in. */
export type WeightFormat = "float32" | HalfFormat;

/** How weights are kept: float32, or matrices in 16 bits, half the memory, everything being computed in float32 all the same. */
export interface WeightOptions {
  readonly weights?: WeightFormat;
  /**
   * What a step's change of a weight in 16 bits becomes. "stochastic", which is taken where none is named, keeps small changes in the
   * mean; "nearest" swallows those below half of the last place.
   */
  readonly rounding?: Rounding;
}

/** Makes a weight [rows, columns] or [size] from its values; `name` is what errors call it. */
export type MakeWeight = (values: Float32Array, shape: readonly number[], name: string) => Omit<Parameter, "name">;

/** What weights can be kept in, and how changes of those in 16 bits can be rounded; the first of each is taken where none is named. */
export const weightFormats: readonly WeightFormat[] = ["float32", "float16", "bfloat16"];
export const roundings: readonly Rounding[] = ["stochastic", "nearest"];

/** How to make weights that are kept so. Biases and norms stay in float32. Throws a KitError for what there is not, and on another backend than native. */
export function weightMaker({ weights = "float32", rounding = "stochastic" }: WeightOptions): MakeWeight {
  if (!weightFormats.includes(weights) || !roundings.includes(rounding))
    throw new KitError(
      `Weights were to be kept in ${weights}, rounding ${rounding}: choose one of ${weightFormats.join(", ")}, and of ${roundings.join(", ")}.`,
    );
  const full: MakeWeight = (values, shape) => ({ value: tf.tensor(values, [...shape]) });
  if (weights === "float32") return full;
  if (tf.getBackend() !== NATIVE)
    throw new KitError(`Weights in ${weights} need the native backend, and ${tf.getBackend()} was chosen.`);
  return (values, shape, name) => {
    if (shape.length < 2) return full(values, shape, name);
    checkHolds(weights, values, name);
    return makeHalf(values, shape, { format: weights, rounding });
  };
}

/** What runs say of weights that are kept so: "float16, stochastic rounding"; nothing of those in float32. */
export function keptAs({ weights = "float32", rounding = "stochastic" }: WeightOptions): string | undefined {
  return weights === "float32" ? undefined : `${weights}, ${rounding} rounding`;
}

/** Beyond this a number is rounded to infinity. */
const LARGEST: Readonly<Record<HalfFormat, number>> = { float16: 65_520, bfloat16: 3.3961775e38 };

/** Throws a KitError for numbers that are NaN or too large, of which the conversion would make any others. */
function checkHolds(format: HalfFormat, values: Float32Array, name: string): void {
  const most = LARGEST[format];
  let wrong = 0;
  for (let i = 0; i < values.length; i++) if (!(Math.abs(values[i]!) < most)) wrong++;
  if (wrong === 0) return;
  throw new KitError(
    `The weight ${name} was to be kept in ${format}, but ${wrong} of its ${values.length} numbers are NaN, infinite or ${most} and more; load the model in float32, or get a sound checkpoint.`,
  );
}

function makeHalf(values: Float32Array, shape: readonly number[], kind: Omit<Halves, "bits">): ReturnType<MakeWeight> {
  const halves = { ...kind, bits: new Uint16Array(values.length) };
  narrow(values, halves, 0);
  return { value: halfTensor(shape, halves), bytes: 2 };
}
