import { tensorflowKernel, type Value, within } from "../../tensor/tensorflow/operations.ts";
import { type Activation, TWICE_U } from "../elementwise.ts";
import { elementwise, scalar } from "./arithmetic.ts";

/** An activation of float32 values; a ReLU of any. */
export const activate = (x: Value, activation: Activation): Value => within(() => ACTIVATIONS[activation](x));

const times = (a: Value, b: Value | number): Value => elementwise("Mul", a, typeof b === "number" ? scalar(b) : b);

const ACTIVATIONS: Readonly<Record<Activation, (x: Value) => Value>> = {
  relu: (x) => elementwise("Relu", x),
  gelu: (x) => times(times(x, 0.5), elementwise("Erfc", times(x, -Math.SQRT1_2))), // Φ(x) = erfc(−x/√2) / 2
  gelu_new: (x) => {
    const slope = elementwise("AddV2", times(elementwise("Square", x), TWICE_U[1]), scalar(TWICE_U[0]));
    return times(x, elementwise("Sigmoid", times(x, slope)));
  },
  silu: (x) => times(x, elementwise("Sigmoid", x)),
};

tensorflowKernel("Activation", ({ inputs, attrs }) => activate(inputs.x!, attrs.activation as Activation));
