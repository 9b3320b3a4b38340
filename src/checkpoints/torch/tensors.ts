import { KitError, listNames, shorten, showValue } from "../../error.ts";
import { type Allowed, type Global, isGlobal, isMade, type PickleBytes, unpickle } from "./pickle.ts";

/** Numbers of a PyTorch file that lie together; tensors are views of them, and several may share them. */
export interface TorchStorage {
  readonly kind: "storage";
  readonly key: string;
  readonly dtype: TorchType;
  /** How many numbers. */
  readonly size: number;
}

/** A tensor as a pickle describes it: where its first number lies, and how far apart those of each dimension are, in numbers. */
export interface TorchTensor {
  readonly kind: "tensor";
  readonly storage: TorchStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** A kind of numbers: safetensors' name for it, and bytes per number. */
export interface TorchType {
  readonly name: string;
  readonly bytes: number;
}

const STORAGES: Readonly<Record<string, TorchType>> = {
  DoubleStorage: { name: "F64", bytes: 8 },
  FloatStorage: { name: "F32", bytes: 4 },
  HalfStorage: { name: "F16", bytes: 2 },
  BFloat16Storage: { name: "BF16", bytes: 2 },
  LongStorage: { name: "I64", bytes: 8 },
  IntStorage: { name: "I32", bytes: 4 },
  ShortStorage: { name: "I16", bytes: 2 },
  CharStorage: { name: "I8", bytes: 1 },
  ByteStorage: { name: "U8", bytes: 1 },
  BoolStorage: { name: "BOOL", bytes: 1 },
};

/** What a PyTorch file says of its tensors. */
export interface StateDict {
  readonly tensors: ReadonlyMap<string, TorchTensor>;
  /** By their keys. */
  readonly storages: ReadonlyMap<string, TorchStorage>;
}

const MOST_DIMENSIONS = 16;

/**
 * Reads the pickle of a state dict: tensors by name. It may name PyTorch's storages and the functions that make tensors and parameters of them,
 * an OrderedDict and a Size; where it names anything else, where an entry is no tensor, and where a tensor does not lie in its storage, a
 * KitError says so.
 */
export function readStateDict(bytes: PickleBytes): StateDict {
  const fail = (found: string): KitError =>
    new KitError(
      `Reading ${bytes.path}: ${found}; get the weights as safetensors, or as a state dict that torch.save wrote.`,
    );
  const storages = new Map<string, TorchStorage>();
  const persistent = (id: unknown): TorchStorage => {
    const storage = readStorage(id, fail);
    const known = storages.get(storage.key);
    if (known && (known.dtype !== storage.dtype || known.size !== storage.size))
      throw fail(`it has the storage ${shorten(storage.key)} in two ways`);
    storages.set(storage.key, known ?? storage);
    return known ?? storage;
  };
  const value = unpickle(bytes, { globals: listGlobals(fail), persistent });
  return { tensors: checkStateDict(value, fail), storages };
}

type Fail = (found: string) => KitError;

/** What pickles of plain values may use: nothing. */
export const NOTHING: Allowed = {
  globals: new Map(),
  persistent: () => undefined,
};

function listGlobals(fail: Fail): ReadonlyMap<string, Global> {
  const global = (name: string, call?: Global["call"]): [string, Global] => [
    name,
    { kind: "global", name, ...(call && { call }) },
  ];
  return new Map([
    ...Object.keys(STORAGES).map((name) => global(`torch.${name}`)),
    global("collections.OrderedDict", (args) => {
      if (args.length > 0) throw fail("its pickle fills an OrderedDict as no torch.save does");
      return new Map();
    }),
    global("torch.Size", ([sizes]) => sizes),
    global("torch._utils._rebuild_tensor", (args) => makeTensor(args, fail)),
    global("torch._utils._rebuild_tensor_v2", (args) => makeTensor(args, fail)),
    global("torch._utils._rebuild_parameter", ([tensor]) => tensor),
  ]);
}

/** A persistent id is ("storage", type, key, device, size), in old files with a view, which none has had since 2017. */
function readStorage(id: unknown, fail: Fail): TorchStorage {
  const [word, type, key, , size, part = null] = Array.isArray(id) ? id : [];
  const dtype = isGlobal(type) ? STORAGES[type.name.replace("torch.", "")] : undefined;
  if (word !== "storage" || !dtype || typeof key !== "string" || !isCount(size) || part !== null)
    throw fail(`its pickle has the storage ${showValue(Array.isArray(id) ? id.slice(2) : id)}`);
  return { kind: "storage", key, dtype, size };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const areCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= MOST_DIMENSIONS && value.every(isCount);

function makeTensor([storage, offset, shape, strides]: readonly unknown[], fail: Fail): TorchTensor {
  if (
    !isStorage(storage) ||
    !isCount(offset) ||
    !areCounts(shape) ||
    !areCounts(strides) ||
    shape.length !== strides.length
  )
    throw fail("its pickle makes a tensor of what is no storage, offset, shape and strides");
  const elements = shape.reduce((product, length) => product * length, 1);
  const last = shape.reduce((sum, length, i) => sum + (length - 1) * strides[i]!, offset);
  if (elements > 0 && !(last < storage.size && elements <= storage.size))
    throw fail(`a tensor of [${shape}] does not fit into the ${storage.size} numbers that are stored for it`);
  return { kind: "tensor", storage, offset, shape: [...shape], strides: [...strides] };
}

const isStorage = (value: unknown): value is TorchStorage => isMade(value) && value.kind === "storage";
const isTensor = (value: unknown): value is TorchTensor => isMade(value) && value.kind === "tensor";

function checkStateDict(value: unknown, fail: Fail): ReadonlyMap<string, TorchTensor> {
  if (!(value instanceof Map)) throw fail("it holds no state dict");
  const others = [...value].filter(([name, tensor]) => typeof name !== "string" || !isTensor(tensor));
  if (others.length === 0) return value;
  throw fail(
    `it holds ${listNames(others.map(([name]) => showValue(isMade(name) ? name.kind : name)))} beside or instead of tensors`,
  );
}
