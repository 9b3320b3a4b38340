import { tensorflowKernel, type Value, within } from "../../tensor/tensorflow/operations.ts";
import type { Activation } from "../elementwise.ts";
import { evenBlocks, ROWS_AT_ONCE } from "../linear.ts";
import { activate } from "./activation.ts";
import { addSame, cast, consume, cut, elementwise, join, SCRATCH_BYTES } from "./arithmetic.ts";
import { asFactor, multiply } from "./linear.ts";

/** How many results as wide as the middle are held at the most: with fewer rows at once than ROWS_AT_ONCE, whatever they take, products would slow down. */
const HELD = 4;

tensorflowKernel("FeedForward", ({ inputs: { x, up, upBias, down, downBias, residual }, attrs }) => {
  const [rises, falls] = [asFactor(up!), asFactor(down!)];
  const most = Math.floor(SCRATCH_BYTES / HELD / (4 * up!.shape[0]!));
  const products = evenBlocks(x!.shape[0]!, Math.max(most, ROWS_AT_ONCE)).map((block) =>
    within(() => {
      const wide = multiply(cut(x!, block), rises);
      return multiply(finish(wide, upBias!, attrs.activation as Activation), falls);
    }),
  );
  const y = consume(cast(join(products), "float32"), (y) => elementwise("AddV2", y, downBias!));
  return addSame(y, residual!);
});

/** A product with its bias and activation. A ReLU stays in the numbers of the product; what is smooth is computed in float32. */
function finish(product: Value, bias: Value, activation: Activation): Value {
  const x = consume(product, (product) => (activation === "relu" ? product : cast(product, "float32")));
  const biased = consume(x, (x) => elementwise("AddV2", x, cast(bias, x.dtype)));
  return consume(biased, (biased) => activate(biased, activation));
}
