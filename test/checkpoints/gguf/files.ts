import { join } from "node:path";

/** A random Llama whose tensors are of nearly every type; tiny.py made it, and tiny.json, with Python's packages gguf and transformers. */
export const TINY: string = join(import.meta.dirname, "tiny.gguf");

/** A value of a GGUF file's metadata: whole numbers become UINT32, others FLOAT32, those in `floats` too. */
export type Value =
  | string
  | number
  | boolean
  | readonly string[]
  | readonly number[]
  | { readonly floats: readonly number[] };

/** A tensor to write: its shape with rows first, GGML's number for its type, and its bytes. */
export interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly data: Uint8Array;
}

export const F32 = 0;

/** A tensor of float32. */
export const floats = (name: string, shape: readonly number[], values: Float32Array): Tensor => ({
  ...{ name, shape, type: F32 },
  data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
});

const uint = (value: number, bytes: 4 | 8): Buffer => {
  const buffer = Buffer.alloc(bytes);
  if (bytes === 4) buffer.writeUInt32LE(value);
  else buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
};
const float = (value: number): Buffer => Buffer.from(Float32Array.of(value).buffer);
const text = (value: string): Buffer => Buffer.concat([uint(Buffer.byteLength(value), 8), Buffer.from(value)]);
const list = (type: number, items: readonly Buffer[]): Buffer =>
  Buffer.concat([uint(9, 4), uint(type, 4), uint(items.length, 8), ...items]);

/** A value with its type, as GGUF writes it. */
function typed(value: Value): Buffer {
  if (typeof value === "string") return Buffer.concat([uint(8, 4), text(value)]);
  if (typeof value === "boolean") return Buffer.concat([uint(7, 4), Buffer.of(Number(value))]);
  if (typeof value === "number")
    return Number.isInteger(value)
      ? Buffer.concat([uint(4, 4), uint(value, 4)])
      : Buffer.concat([uint(6, 4), float(value)]);
  if ("floats" in value) return list(6, value.floats.map(float));
  return typeof value[0] === "number"
    ? list(
        4,
        (value as readonly number[]).map((item) => uint(item, 4)),
      )
    : list(8, (value as readonly string[]).map(text));
}

const ALIGNMENT = 32;
/** Bytes up to the next place where a tensor's data may begin. */
export const padded = (bytes: Uint8Array): Buffer =>
  Buffer.concat([bytes, Buffer.alloc(-bytes.length & (ALIGNMENT - 1))]);

/** The bytes of a GGUF file; `offsets` replaces the places of its tensors' data. */
export function ggufBytes(...parts: Parameters<typeof ggufParts>): Buffer {
  const { header, data } = ggufParts(...parts);
  return Buffer.concat([padded(header), data]);
}

/** A GGUF file's header, which must be padded, and its data. */
export function ggufParts(
  metadata: Readonly<Record<string, Value>>,
  tensors: readonly Tensor[],
  offsets?: readonly number[],
): { readonly header: Buffer; readonly data: Buffer } {
  const data = tensors.map(({ data }) => padded(data));
  const places = data.map((_, i) => data.slice(0, i).reduce((sum, { length }) => sum + length, 0));
  const infos = tensors.map(({ name, shape, type }, i) =>
    Buffer.concat([
      ...[text(name), uint(shape.length, 4), ...shape.toReversed().map((length) => uint(length, 8))],
      ...[uint(type, 4), uint((offsets ?? places)[i]!, 8)],
    ]),
  );
  const entries = Object.entries(metadata).map(([key, value]) => Buffer.concat([text(key), typed(value)]));
  const start = [Buffer.from("GGUF"), uint(3, 4), uint(tensors.length, 8), uint(entries.length, 8)];
  return { header: Buffer.concat([...start, ...entries, ...infos]), data: Buffer.concat(data) };
}
