import { meterBytes } from "../storage.ts";
import { type Binding, BYTES, DTYPE, type DType, type NodeBackend } from "./operations.ts";

/** Memory that holds values, which several tensors may share: it is freed with the last of them. */
interface Held {
  readonly bytes: number;
  tensors: number;
}

/** A tensor as the addon tells of it. */
interface Made {
  readonly id: number;
  readonly dtype: number;
  readonly shape: readonly number[];
}

/** The tensors that are alive, by their numbers. */
const alive = new Map<number, { readonly made: Made; readonly held: Held }>();
const counted = new WeakSet<NodeBackend>();

/**
 * The bytes of all of TensorFlow's tensors, counted from their shapes, shared ones once. What its libraries take for themselves is not
 * in it: cuBLAS's and cuDNN's workspaces, scratch memory inside an operation, and the CUDA context, a few hundred MB together.
 */
export const tensorBytes: ReturnType<typeof meterBytes> = meterBytes();

/** Has a backend count the bytes of its tensors from here on, if it does not yet. It must have none before. */
export function countTensors(backend: NodeBackend): void {
  if (counted.has(backend)) return;
  counted.add(backend);
  const { binding } = backend;
  const counting: Pick<Binding, "createTensor" | "executeOp" | "deleteTensor"> = {
    createTensor: (shape, dtype, values) => {
      const id = binding.createTensor(shape, dtype, values);
      add({ id, dtype, shape });
      return id;
    },
    executeOp: (name, attributes, inputs, outputs) => {
      const made = binding.executeOp(name, attributes, inputs, outputs);
      const source = findSource(name, inputs);
      for (const each of made) add(each, source && isShared(name, source.made, each) ? source.held : undefined);
      return made;
    },
    deleteTensor: (id) => {
      binding.deleteTensor(id);
      remove(id);
    },
  };
  const own = Object.getOwnPropertyDescriptors(counting);
  Object.assign(backend, { binding: Object.create(binding, own) }); // the addon's own functions cannot be replaced where they are
}

function add(made: Made, held: Held = { bytes: countBytes(made), tensors: 0 }): void {
  if (held.tensors === 0) tensorBytes.count(held.bytes);
  held.tensors++;
  alive.set(made.id, { made, held });
}

function remove(id: number): void {
  const held = alive.get(id)?.held;
  alive.delete(id);
  if (held && --held.tensors === 0) tensorBytes.count(-held.bytes);
}

const BYTES_BY_NUMBER = new Map<number, number>(
  Object.entries(DTYPE).map(([name, number]) => [number, BYTES[name as DType]]),
);

const countBytes = ({ dtype, shape }: Made): number => shape.reduce((a, b) => a * b, BYTES_BY_NUMBER.get(dtype) ?? 8);

/** Operations whose result shares the values of their largest input where it is as large, as TensorFlow 2.21 does on a processor. */
const SAME = new Set([
  ...["Identity", "StopGradient", "Reshape", "Squeeze", "ExpandDims", "Bitcast", "Cast", "BroadcastTo", "Tile", "Pad"],
  ...["PadV2", "Sum", "Mean", "Pack", "InplaceAdd", "InplaceSub", "InplaceUpdate"],
]);

/** Operations whose results share values where they are whole rows that begin where vectors may be read. */
const ROWS = new Set(["Slice", "StridedSlice", "Unpack", "Split", "SplitV"]);

/** To what TensorFlow aligns values, in bytes. */
const ALIGNED = 64;

/** The largest input of an operation that may share it. */
function findSource(name: string, inputs: readonly number[]): { readonly made: Made; readonly held: Held } | undefined {
  if (!SAME.has(name) && !ROWS.has(name)) return undefined;
  const known = inputs.flatMap((id) => alive.get(id) ?? []);
  return known.toSorted((a, b) => countBytes(b.made) - countBytes(a.made))[0];
}

function isShared(name: string, source: Made, made: Made): boolean {
  if (SAME.has(name))
    return countBytes(made) === countBytes(source) && (made.dtype === source.dtype || name === "Bitcast");
  const [, ...row] = source.shape;
  const own = name === "Unpack" ? made.shape : made.shape.slice(1);
  return own.join() === row.join() && countBytes({ ...source, shape: row }) % ALIGNED === 0;
}
