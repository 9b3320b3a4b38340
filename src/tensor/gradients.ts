import * as tf from "@tensorflow/tfjs-core";

export { gradients, type Sum } from "./backpropagate.ts";

// The gradients of those operations of TensorFlow.js that networks and losses are made of, beside the kit's own kernels. TensorFlow.js's core
// has none: they come with the package @tensorflow/tfjs, which brings layers, a converter and WebGL as well, 240 MB in all. Who writes a
// network of other operations imports that package beside the kit: it has the gradients of all.

type Attributes = Readonly<Record<string, unknown>>;

/** For each input that has a gradient, a function that makes it from the result's, what was saved and the attributes. */
type Rule = (dy: tf.Tensor, saved: readonly tf.Tensor[], attributes: Attributes) => Record<string, () => tf.Tensor>;

/** Registers a gradient, unless @tensorflow/tfjs has: "all" saves every input, however many there are. */
function register(kernelName: string, inputsToSave: string[] | "all", rule: Rule): void {
  if (tf.getGradient(kernelName)) return;
  tf.registerGradient({
    kernelName,
    ...(inputsToSave === "all" ? { saveAllInputs: true } : { inputsToSave }),
    gradFunc: (dy, saved, attributes) => rule(dy as tf.Tensor, saved, attributes as Attributes),
  });
}

/** The sum over the axes along which a shape was broadcast to that of `dy`. */
function unbroadcast(dy: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const axes = tf.broadcast_util.getReductionAxes([...shape], dy.shape);
  return tf.reshape(axes.length > 0 ? tf.sum(dy, axes) : dy, [...shape]);
}

const float = (x: tf.Tensor): tf.Tensor => tf.cast(x, "float32");

register("Add", ["a", "b"], (dy, [a, b]) => ({
  a: () => unbroadcast(dy, a!.shape),
  b: () => unbroadcast(dy, b!.shape),
}));

register("Sub", ["a", "b"], (dy, [a, b]) => ({
  a: () => unbroadcast(dy, a!.shape),
  b: () => tf.neg(unbroadcast(dy, b!.shape)),
}));

register("Multiply", ["a", "b"], (dy, [a, b]) => ({
  a: () => unbroadcast(tf.mul(dy, float(b!)), a!.shape),
  b: () => unbroadcast(tf.mul(dy, float(a!)), b!.shape),
}));

register("RealDiv", ["a", "b"], (dy, [a, b]) => ({
  a: () => unbroadcast(tf.div(dy, float(b!)), a!.shape),
  b: () => tf.neg(tf.div(unbroadcast(tf.mul(dy, float(a!)), b!.shape), float(tf.square(b!)))),
}));

register("Neg", [], (dy) => ({ x: () => tf.neg(dy) }));

register("Square", ["x"], (dy, [x]) => ({ x: () => tf.mul(dy, tf.mul(float(x!), 2)) }));

register("Cast", [], (dy) => ({ x: () => tf.clone(dy) }));

register("Reshape", ["x"], (dy, [x]) => ({ x: () => tf.reshape(dy, x!.shape) }));

/** dy, repeated over the axes that were summed. */
function repeat(dy: tf.Tensor, shape: number[], axis: unknown): tf.Tensor {
  const axes = tf.util.parseAxisParam(axis as number[], shape);
  const kept = shape.map((size, i) => (axes.includes(i) ? 1 : size));
  return tf.mul(tf.reshape(dy, kept), tf.ones(shape));
}

register("Sum", ["x"], (dy, [x], { axis }) => ({ x: () => repeat(dy, x!.shape, axis) }));

register("Mean", ["x"], (dy, [x], { axis }) => ({
  x: () => tf.div(repeat(dy, x!.shape, axis), x!.size / dy.size),
}));

register("BatchMatMul", ["a", "b"], (dy, [a, b], { transposeA, transposeB }) => ({
  a: () => (transposeA ? tf.matMul(b!, dy, !!transposeB, true) : tf.matMul(dy, b!, false, !transposeB)),
  b: () => (transposeB ? tf.matMul(dy, a!, true, !!transposeA) : tf.matMul(a!, dy, !transposeA, false)),
}));

/** Of slices that were looked up along an axis: what each slice of the table was used for, added up. */
register("GatherV2", ["x", "indices"], (dy, [x, indices], attributes) => {
  const [axis] = tf.util.parseAxisParam(attributes.axis as number, x!.shape);
  const { size } = indices!;
  const order = [axis!, ...x!.shape.map((_, other) => other).filter((other) => other !== axis)];
  const used = (): tf.Tensor => tf.transpose(tf.reshape(dy, x!.shape.with(axis!, size)), order);
  const sums = (): tf.Tensor => tf.unsortedSegmentSum(used(), tf.reshape(indices!, [size]), x!.shape[axis!]!);
  return {
    x: () => tf.transpose(sums(), tf.backend_util.getUndoAxesPermutation(order)),
    indices: () => indices!,
  };
});

register("Concat", "all", (dy, parts, { axis }) => {
  const [at] = tf.util.parseAxisParam(axis as number, parts[0]!.shape);
  const sizes = parts.map(({ shape }) => shape[at!]!);
  return Object.fromEntries(tf.split(dy, sizes, at!).map((part, i) => [i, () => part]));
});

register("UnsortedSegmentSum", ["segmentIds"], (dy, [segments]) => ({ x: () => tf.gather(dy, segments!) }));
