import * as tf from "@tensorflow/tfjs-core";
import type { Backend } from "../storage.ts";
import { loadTensorFlow } from "./load.ts";
import { countTensors, tensorBytes } from "./memory.ts";
import type { NodeBackend } from "./operations.ts";
import { isOnGpu } from "./products.ts";
import { tensorflowStorage } from "./storage.ts";

/** TensorFlow's C library, on NVIDIA GPUs through CUDA or on the processor. */
export const tensorflow: Backend = {
  about: "TensorFlow's C library, on NVIDIA GPUs through CUDA; npx mezo gpu-link <folder> links one of a Python wheel",
  storage: tensorflowStorage,
  load: async () => {
    const device = loadTensorFlow();
    countTensors(tf.findBackend("tensorflow") as unknown as NodeBackend);
    return device;
  },
  memory: () => (isOnGpu() ? tensorBytes : undefined),
};
