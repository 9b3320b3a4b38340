import { zipSync } from "fflate";
import type { NamedTensor } from "../../src/checkpoints/write.ts";

/** A pickle of protocol 2, its operations as text: each character is a byte. */
export const pickle = (operations: string): Buffer => Buffer.from(`\x80\x02${operations}.`, "latin1");

function count(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes.toString("latin1");
}

/** The operations that make a text, a dict's `_rebuild_tensor_v2` and so on. */
export const text = (value: string): string => {
  const bytes = Buffer.from(value);
  return `X${count(bytes.length)}${bytes.toString("latin1")}`;
};
const number = (value: number): string => `J${count(value)}`;
const tuple = (values: readonly number[]): string => `(${values.map(number).join("")}t`;

/** A storage of float32 by its persistent id. */
export const storage = (key: string, size: number, old = false): string =>
  `(${text("storage")}ctorch\nFloatStorage\n${text(key)}${text("cpu")}${number(size)}${old ? "N" : ""}tQ`;

/** A view of a storage. */
export const view = (of: string, offset: number, shape: readonly number[], strides: readonly number[]): string =>
  `ctorch._utils\n_rebuild_tensor_v2\n(${of}${number(offset)}${tuple(shape)}${tuple(strides)}\x89ccollections\nOrderedDict\n)RtR`;

/** A dict of what such operations make. */
export const dict = (entries: readonly (readonly [string, string])[]): string =>
  `ccollections\nOrderedDict\n)R(${entries.map(([name, value]) => text(name) + value).join("")}u`;

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);
const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

function stateDict(tensors: readonly NamedTensor[], old = false): Buffer {
  const entries = tensors.map(({ name, shape }, i): [string, string] => {
    const strides = shape.map((_, dimension) => sizeOf(shape.slice(dimension + 1)));
    return [name, view(storage(`${i}`, sizeOf(shape), old), 0, shape, strides)];
  });
  return pickle(dict(entries));
}

/** What torch.save writes of a state dict: the pickle in an archive beside its storages. `level` is that of deflating. */
export function torchZip(
  tensors: readonly NamedTensor[],
  { pickled = stateDict(tensors), level = 0 }: { pickled?: Uint8Array; level?: 0 | 6 } = {},
): Buffer {
  const storages = tensors.map(({ data }, i) => [`archive/data/${i}`, bytesOf(data)]);
  const facts = { "archive/version": Buffer.from("3\n"), "archive/byteorder": Buffer.from("little") };
  return Buffer.from(zipSync({ "archive/data.pkl": pickled, ...facts, ...Object.fromEntries(storages) }, { level }));
}

/** The pickle of the state dict that `torchZip` writes. */
export const torchPickle = (tensors: readonly NamedTensor[]): Buffer => stateDict(tensors);

/** What torch.save wrote of a state dict before PyTorch 1.6. */
export function torchOld(tensors: readonly NamedTensor[]): Buffer {
  const magic = pickle("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19");
  const system = pickle(`}${text("little_endian")}\x88s`);
  const keys = pickle(`](${tensors.map((_, i) => text(`${i}`)).join("")}e`);
  const storages = tensors.flatMap(({ data }) => {
    const size = Buffer.alloc(8);
    size.writeBigInt64LE(BigInt(data.length));
    return [size, bytesOf(data)];
  });
  return Buffer.concat([magic, pickle("M\xe9\x03"), system, stateDict(tensors, true), keys, ...storages]);
}
