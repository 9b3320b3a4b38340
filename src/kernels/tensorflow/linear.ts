import { tensorflowKernel, type Value, within } from "../../tensor/tensorflow/operations.ts";
import { productType } from "../../tensor/tensorflow/products.ts";
import type { Activation } from "../elementwise.ts";
import { activate } from "./activation.ts";
import { addSame, cast, consume, elementwise, multiplyMatrices } from "./arithmetic.ts";

/** A weight in the numbers in which products with it are formed. */
export const asFactor = (weight: Value): Value => cast(weight, productType(weight));

/** x Wᵀ in the numbers of W, which x is rounded to: [rows, in] and [out, in] give [rows, out]. */
export const multiply = (x: Value, factor: Value): Value =>
  within(() => multiplyMatrices(cast(x, factor.dtype), factor, true));

for (const operation of ["Linear", "SmoothLinear"])
  tensorflowKernel(operation, ({ inputs: { x, weight, bias, residual }, attrs }) => {
    let y = consume(multiply(x!, asFactor(weight!)), (product) => cast(product, "float32"));
    if (bias) y = consume(y, (y) => elementwise("AddV2", y, bias));
    if (attrs.activation) y = consume(y, (y) => activate(y, attrs.activation as Activation));
    return residual ? addSame(y, residual) : y;
  });
