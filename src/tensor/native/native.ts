import * as tf from "@tensorflow/tfjs-core";
import { processor } from "../plain.ts";
import { twoSidedProducts } from "../products.ts";
import { type Backend, inMemory } from "../storage.ts";
import { levelNames, processorLevel } from "../x86/library.ts";
import { combine } from "../x86/rows.ts";
import {
  areFloats,
  filledTensor,
  findSource,
  halfTensor,
  type KernelCall,
  nativeKernel,
  registerNativeBackend,
  runKernel,
  runOnCpu,
  viewTensor,
} from "./backend.ts";
import { matMul } from "./matMul.ts";
import { floats, type Graph, node } from "./onnx.ts";
import { registerReductions } from "./reductions.ts";
import { threadCount } from "./session.ts";

/** TensorFlow.js's own operations that models and gradients use, by the ONNX operator that computes the same. */
const BINARY = { Add: "Add", Sub: "Sub", Multiply: "Mul", RealDiv: "Div" } as const;
const UNARY = {
  Exp: "Exp",
  Log: "Log",
  Sqrt: "Sqrt",
  Relu: "Relu",
  Erf: "Erf",
  Sigmoid: "Sigmoid",
  Softmax: "Softmax",
  LogSoftmax: "LogSoftmax",
} as const;

const axes = (rank: number, letter: string): string[] => Array.from({ length: rank }, (_, i) => `${letter}${i}`);

function binaryGraph(operator: string, rankA: number, rankB: number): Graph {
  return {
    nodes: [node(operator, ["a", "b"], "y")],
    inputs: [floats("a", ...axes(rankA, "a")), floats("b", ...axes(rankB, "b"))],
    outputs: [floats("y", ...axes(Math.max(rankA, rankB), "y"))],
  };
}

function unaryGraph(operator: string, rank: number): Graph {
  const attributes = operator.endsWith("oftmax") ? { axis: -1 } : {};
  return {
    nodes: [node(operator, ["x"], "y", attributes)],
    inputs: [floats("x", ...axes(rank, "d"))],
    outputs: [floats("y", ...axes(rank, "d"))],
  };
}

/** One input under the name that its kernel gives it. */
const onlyInput = (call: KernelCall): tf.TensorInfo => Object.values(call.inputs)[0]!;

function registerBinary(kernelName: string, operator: string): void {
  nativeKernel(kernelName, (call) => {
    const { a, b } = call.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
    if (!areFloats(a, b)) return runOnCpu(kernelName, call);
    if (isOwn(kernelName) && tf.util.arraysEqual(a.shape, b.shape)) return combineInLibrary(OWN[kernelName], a, b);
    const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
    const [rankA, rankB] = [a.shape.length, b.shape.length];
    return runKernel(`${operator}${rankA}${rankB}`, () => binaryGraph(operator, rankA, rankB), { a, b }, shape);
  });
}

/** What the kit's own library does, where it is and both shapes are one. */
const OWN = { Add: "add", Multiply: "multiply" } as const;

const isOwn = (kernelName: string): kernelName is keyof typeof OWN => kernelName in OWN && processorLevel() !== "none";

function combineInLibrary(operation: "add" | "multiply", a: tf.TensorInfo, b: tf.TensorInfo): tf.TensorInfo {
  const [x, y] = [viewTensor(a), viewTensor(b)].map(({ values }) => values as Float32Array);
  return filledTensor(a.shape, ({ values }) => combine(operation, x!, y!, values as Float32Array));
}

function registerUnary(kernelName: string, operator: string): void {
  nativeKernel(kernelName, (call) => {
    const x = onlyInput(call);
    if (!areFloats(x)) return runOnCpu(kernelName, call);
    return runKernel(`${operator}${x.shape.length}`, () => unaryGraph(operator, x.shape.length), { x }, x.shape);
  });
}

function registerKernels(): void {
  for (const [kernelName, operator] of Object.entries(BINARY)) registerBinary(kernelName, operator);
  for (const [kernelName, operator] of Object.entries(UNARY)) registerUnary(kernelName, operator);
  nativeKernel("BatchMatMul", matMul);
  registerReductions();
}

/** "AMD EPYC, AVX-512 with BF16, 2 threads, products float32" */
function describeMachine(): string {
  const [level, count] = [processorLevel(), threadCount()];
  const threads = `${count} ${count === 1 ? "thread" : "threads"}`;
  if (level === "none")
    return `${processor()}, ${threads}, products float32 alone: the kit's own kernels do not run here`;
  return `${processor()}, ${levelNames[level]}, ${threads}, products ${twoSidedProducts()}`;
}

/** ONNX Runtime and WebAssembly SIMD under TensorFlow.js: the default. */
export const native: Backend = {
  about: "ONNX Runtime under TensorFlow.js, the default; comes with npm install",
  storage: inMemory({
    source: findSource,
    blank: (shape) => tf.engine().makeTensorFromTensorInfo(filledTensor([...shape], () => {})),
    halves: (shape, kind) => halfTensor(shape, { ...kind, bits: new Uint16Array(tf.util.sizeFromShape([...shape])) }),
  }),
  load: async () => {
    registerNativeBackend();
    registerKernels();
    return describeMachine();
  },
};
