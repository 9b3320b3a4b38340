import * as tf from "@tensorflow/tfjs-core";
import { wholeStretch } from "../noise/stretch.ts";
import { moveMany } from "../noise/sweep.ts";
import { noHalves, type Storage } from "../storage.ts";

/** What is used of TensorFlow.js's Node backend beneath its public face; the version is pinned. */
interface NodeBackend {
  readonly tensorMap: { get(dataId: object): Entry };
  readonly binding: { deleteTensor(id: number): void };
}

/** A tensor: its values while TensorFlow does not have them yet, and from then on its number there. */
interface Entry {
  values: Float32Array | null;
  id: number;
}

const NONE = -1;
const read = ({ dataId }: tf.TensorInfo): Float32Array => (tf.backend().readSync(dataId) as Float32Array).slice();

/** TensorFlow's tensors never change: the new values take the place of the old ones, and go to TensorFlow at their next use. */
function replace({ dataId }: tf.TensorInfo, values: Float32Array): void {
  const { tensorMap, binding } = tf.backend() as unknown as NodeBackend;
  const entry = tensorMap.get(dataId);
  if (entry.id !== NONE) binding.deleteTensor(entry.id);
  entry.id = NONE;
  entry.values = values;
}

/** How TensorFlow's weights change: through this process. */
export const tensorflowStorage: Storage = {
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
  refill: (tensor, readValues) => tensorflowStorage.fill(tensor, (values) => readValues(values, 0)),
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
