import { op, run, tensorflowKernel, upload, type Value, within } from "../../tensor/tensorflow/operations.ts";
import { productType } from "../../tensor/tensorflow/products.ts";
import { evenBlocks } from "../linear.ts";
import { cast, consume, cut, elementwise, join, SCRATCH_BYTES } from "./arithmetic.ts";
import { asFactor, multiply } from "./linear.ts";

/** What logits are made of: features [rows, width], the output matrix [vocabulary, width], and its bias [vocabulary] where it has one. */
interface Output {
  readonly features: Value;
  readonly table: Value;
  readonly bias?: Value | undefined;
}

/** Makes something of each row's logits and joins it, from [rows, vocabulary] of some rows at a time. */
function fromLogits({ features, table, bias }: Output, make: (logits: Value, rows: [number, number]) => Value): Value {
  const most = Math.max(1, Math.floor(SCRATCH_BYTES / 2 / (4 * table.shape[0]!)));
  const parts = evenBlocks(features.shape[0]!, most).map((rows) =>
    within(() => {
      const logits = computeLogits(cut(features, rows), table);
      return make(bias ? consume(logits, (logits) => elementwise("AddV2", logits, bias)) : logits, rows);
    }),
  );
  return join(parts);
}

/** Products with the output matrix in float32; one in other numbers than its products are formed in is changed a block of its rows at a time. */
function computeLogits(features: Value, table: Value): Value {
  const [vocabulary, width] = table.shape as [number, number];
  const most = table.dtype === productType(table) ? vocabulary : Math.ceil(SCRATCH_BYTES / (4 * width));
  const parts = evenBlocks(vocabulary, most).map((tokens) =>
    within(() => multiply(features, asFactor(cut(table, tokens)))),
  );
  return consume(join(parts, 1), (logits) => cast(logits, "float32"));
}

tensorflowKernel("TokenLogProbs", ({ inputs }) => {
  const ids = inputs.ids!;
  return fromLogits(inputs as unknown as Output, (logits, rows) => {
    const types = { T: { type: "float32" }, Tlabels: { type: "int32" } } as const;
    const [loss] = run("SparseSoftmaxCrossEntropyWithLogits", [logits, cut(ids, rows)], types, 2);
    return elementwise("Neg", loss!);
  });
});

tensorflowKernel("BestTokens", ({ inputs }) =>
  fromLogits(inputs as unknown as Output, (logits) => {
    const types = { T: { type: "float32" }, Tidx: { type: "int32" }, output_type: { type: "int32" } } as const;
    return cast(op("ArgMax", [logits, upload(Int32Array.of(-1), [], "int32")], types), "float32");
  }),
);
