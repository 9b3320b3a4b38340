import { createRequire } from "node:module";
import * as tf from "@tensorflow/tfjs-core";
import { KitError } from "../../error.ts";
import type { Backend } from "../storage.ts";
import { tensorflowStorage } from "./storage.ts";

const PACKAGES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"];

/** Loads the first package that brings the backend; of those that do not, tells why of the first one that is installed. */
function loadPackage(): string {
  const require = createRequire(import.meta.url);
  let why =
    "neither @tensorflow/tfjs-node-gpu nor @tensorflow/tfjs-node is installed (npm install @tensorflow/tfjs-node-gpu)";
  for (const name of PACKAGES.toReversed()) {
    try {
      require(name);
      if (tf.findBackendFactory("tensorflow")) return name;
    } catch (error) {
      const absent = (error as { code?: string }).code === "MODULE_NOT_FOUND" && String(error).includes(`'${name}'`);
      if (!absent) why = `${name} is installed without TensorFlow's library, which npm run gpu:install fetches`;
    }
  }
  throw new KitError(`TensorFlow's library cannot be used here: ${why}.`);
}

/** TensorFlow's C library, on NVIDIA GPUs through CUDA or on the processor. */
export const tensorflow: Backend = {
  about: "TensorFlow's C library, on NVIDIA GPUs through CUDA; npm run gpu:install fetches it",
  storage: tensorflowStorage,
  load: async () => loadPackage(),
};
