import * as tf from "@tensorflow/tfjs";
import { processor } from "../cpu.ts";
import { type Backend, inMemory } from "../storage.ts";
import { filledTensor, registerNativeBackend, sourceOf } from "./backend.ts";
import { threadCount } from "./session.ts";
import { registerStandardKernels } from "./standard.ts";

/** ONNX Runtime and WebAssembly SIMD under TensorFlow.js: the default. */
export const native: Backend = {
  about: "ONNX Runtime under TensorFlow.js, the default; comes with npm install",
  storage: {
    ...inMemory(sourceOf),
    blank: (shape) => tf.engine().makeTensorFromTensorInfo(filledTensor([...shape], () => {})),
  },
  load: async () => {
    registerNativeBackend();
    registerStandardKernels();
    return `${processor()}, ${threadCount()} threads`;
  },
};
