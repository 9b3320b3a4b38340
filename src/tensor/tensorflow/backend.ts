import { createRequire } from "node:module";
import * as tf from "@tensorflow/tfjs-core";
import { KitError } from "../../error.ts";
import { wholeStretch } from "../noise/stretch.ts";
import { moveMany } from "../noise/sweep.ts";
import { type Backend, noHalves, type Storage } from "../storage.ts";
import { countTensors, tensorBytes } from "./memory.ts";
import type { NodeBackend as CountedBackend } from "./operations.ts";
import { isOnGpu } from "./products.ts";

/** What is used of TensorFlow.js's Node backend beneath its public face; the version is pinned. */
interface NodeBackend {
  readonly tensorMap: { get(dataId: object): Entry };
  readonly binding: { deleteTensor(id: number): void };
  readonly isGPUPackage?: boolean;
}

/** A tensor: its values while TensorFlow does not have them yet, and from then on its number there. */
interface Entry {
  values: Float32Array | null;
  id: number;
}

const NONE = -1;
const PACKAGES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"];

const read = ({ dataId }: tf.TensorInfo): Float32Array => (tf.backend().readSync(dataId) as Float32Array).slice();

/** TensorFlow's tensors never change: the new values take the place of the old ones, and go to TensorFlow at their next use. */
function replace({ dataId }: tf.TensorInfo, values: Float32Array): void {
  const { tensorMap, binding } = tf.backend() as unknown as NodeBackend;
  const entry = tensorMap.get(dataId);
  if (entry.id !== NONE) binding.deleteTensor(entry.id);
  entry.id = NONE;
  entry.values = values;
}

const storage: Storage = {
  move: (weights, law) => {
    for (const { tensor, moves } of weights) {
      const theta = read(tensor);
      moveMany([wholeStretch(theta, moves, law)]);
      replace(tensor, theta);
    }
  },
  fill: (tensor, write) => {
    const values = new Float32Array(tf.util.sizeFromShape(tensor.shape));
    write(values);
    replace(tensor, values);
  },
  copy: (from, to) => replace(to, read(from)),
  weight: (shape, readValues, kind) => {
    if (kind) throw noHalves(kind);
    const values = new Float32Array(tf.util.sizeFromShape([...shape]));
    readValues(values, 0);
    return tf.tensor(values, [...shape]);
  },
  refill: (tensor, readValues) => storage.fill(tensor, (values) => readValues(values, 0)),
  read: async function* (tensor) {
    yield read(tensor);
  },
  sides: (weights, eps, law) =>
    weights.map(({ tensor, key }) => {
      const [plus, minus] = [eps, -eps].map((scale) => {
        const theta = read(tensor);
        moveMany([wholeStretch(theta, [{ key, scale, keep: 1 }], law)]);
        return tf.tensor(theta, tensor.shape);
      });
      return { plus: plus!, minus: minus! };
    }),
};

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

/**
 * TensorFlow's C library, on NVIDIA GPUs through CUDA or on the processor. A change in place passes through this process, since
 * TensorFlow.js gives no way to write into one of its tensors.
 */
export const tensorflow: Backend = {
  about: "TensorFlow's C library, on NVIDIA GPUs through CUDA; npm run gpu:install fetches it",
  storage,
  load: async () => {
    const name = loadPackage();
    countTensors(tf.findBackend("tensorflow") as unknown as CountedBackend);
    return name;
  },
  memory: () => (isOnGpu() ? tensorBytes : undefined),
};
