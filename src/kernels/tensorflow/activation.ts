import { tensorflowKernel, type Value, within } from "../../tensor/tensorflow/operations.ts";
import { type Activation, TWICE_U } from "../elementwise.ts";
import { consume, elementwise, scalar } from "./arithmetic.ts";

/** An activation of float32 values; a ReLU of any. */
export const activate = (x: Value, activation: Activation): Value => within(() => ACTIVATIONS[activation](x));

const times = (a: Value, b: Value | number): Value => elementwise("Mul", a, typeof b === "number" ? scalar(b) : b);

const ACTIVATIONS: Readonly<Record<Activation, (x: Value) => Value>> = {
  relu: (x) => elementwise("Relu", x),
  gelu: (x) => {
    const twicePhi = consume(times(x, -Math.SQRT1_2), (u) => elementwise("Erfc", u));
    return times(times(x, 0.5), twicePhi);
  },
  gelu_new: (x) => {
    const scaled = consume(elementwise("Square", x), (square) => times(square, TWICE_U[1]));
    const slope = consume(scaled, (scaled) => elementwise("AddV2", scaled, scalar(TWICE_U[0])));
    const twiceU = consume(slope, (slope) => times(x, slope));
    return times(
      x,
      consume(twiceU, (twiceU) => elementwise("Sigmoid", twiceU)),
    );
  },
  silu: (x) => times(x, elementwise("Sigmoid", x)),
};

tensorflowKernel("Activation", ({ inputs, attrs }) => activate(inputs.x!, attrs.activation as Activation));
