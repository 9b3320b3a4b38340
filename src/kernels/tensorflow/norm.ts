import { op, tensorflowKernel, type Value } from "../../tensor/tensorflow/operations.ts";
import { isOnGpu } from "../../tensor/tensorflow/products.ts";
import { elementwise, reduceLast, reshape, scalar } from "./arithmetic.ts";

/** A norm's inputs: rows, and the gain and shift that all of them share. */
interface Norm {
  readonly x: Value;
  readonly weight: Value;
  readonly bias: Value;
  readonly epsilon: number;
}

/** x times one over the root of the mean in the last dimension of something, and of epsilon. */
const scaleRows = (x: Value, squares: Value, epsilon: number): Value =>
  elementwise("Mul", x, elementwise("Rsqrt", elementwise("AddV2", reduceLast("Mean", squares), scalar(epsilon))));

function composed({ x, weight, bias, epsilon }: Norm): Value {
  const centred = elementwise("Sub", x, reduceLast("Mean", x));
  const normal = scaleRows(centred, elementwise("Square", centred), epsilon);
  return elementwise("AddV2", elementwise("Mul", normal, weight), bias);
}

/** oneDNN's layer normalization, in one pass over the rows: a kernel for processors that not every build has. */
const byOneDnn = ({ x, weight, bias, epsilon }: Norm): Value =>
  op("_MklLayerNorm", [x, weight, bias], { T: { type: "float32" }, epsilon: { float: epsilon }, _kernel: "" });

let normalize: ((norm: Norm) => Value) | undefined;

/** oneDNN's where it is there, which the first call finds out. */
function choose(norm: Norm): Value {
  try {
    if (isOnGpu()) throw new Error("oneDNN's kernels are for processors.");
    const y = byOneDnn(norm);
    normalize = byOneDnn;
    return y;
  } catch {
    normalize = composed;
    return composed(norm);
  }
}

tensorflowKernel("LayerNorm", ({ inputs: { x, weight, bias }, attrs }) =>
  (normalize ?? choose)({ x: x!, weight: weight!, bias: bias!, epsilon: attrs.epsilon as number }),
);

tensorflowKernel("RmsNorm", ({ inputs: { x, weight }, attrs }) => {
  const heads = reshape(x!, -1, weight!.shape[0]!);
  const normal = scaleRows(heads, elementwise("Square", heads), attrs.epsilon as number);
  return reshape(elementwise("Mul", normal, weight!), ...x!.shape);
});
